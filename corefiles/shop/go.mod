module goheap.test/shop

go 1.22

require goheap.test/programs v0.0.0

replace goheap.test/programs => ../../tests/programs
