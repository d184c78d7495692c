module goheap.dev/tools/godwarf

go 1.22
