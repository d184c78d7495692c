module goheap.dev/tools/godwarf/target

go 1.21
