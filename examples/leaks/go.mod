module goheap.example/leaks

go 1.22
