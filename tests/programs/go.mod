module goheap.test/programs

go 1.22
