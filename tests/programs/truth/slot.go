// SPDX-License-Identifier: Apache-2.0

package truth

// classes are the sizes of small slots, the same in Go 1.22 to 1.27.
var classes = [...]uint16{
	8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 288, 320, 352,
	384, 416, 448, 480, 512, 576, 640, 704, 768, 896, 1024, 1152, 1280, 1408, 1536, 1792, 2048,
	2304, 2688, 3072, 3200, 3456, 4096, 4864, 5376, 6144, 6528, 6784, 6912, 8192, 9472, 9728, 10240,
	10880, 12288, 13568, 14336, 16384, 18432, 19072, 20480, 21760, 24576, 27264, 28672, 32768,
}

const (
	pageBytes   = 8192
	headerBytes = 8
	// The largest object that has its pointer bits at the end of the span instead of a header.
	maxWithoutHeader = 512
	largest          = 32768 - headerBytes // a small object; larger ones get pages of their own
)

// Slot is what the heap pays for an object: its size class, with the type header that a small
// object of more than 512 bytes has if it holds pointers, or whole pages for a large one.
func Slot(size uintptr, scan bool) uintptr {
	if size > largest {
		return (size + pageBytes - 1) / pageBytes * pageBytes
	}
	if scan && size > maxWithoutHeader {
		size += headerBytes
	}
	for _, class := range classes {
		if size <= uintptr(class) {
			return uintptr(class)
		}
	}
	return 0 // not reached
}
