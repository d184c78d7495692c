// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// func hold(s *slots)
TEXT ·hold(SB), NOSPLIT, $0-8
	MOVQ s+0(FP), AX
	PXOR X0, X0
	MOVQ (AX), X3
	MOVQ 8(AX), X15
	PXOR X9, X9
	CMPL 28(AX), $0
	JEQ  narrow
	VMOVQ 16(AX), X9
	VINSERTF128 $1, X9, Y9, Y9
	VPERM2F128 $0x18, Y9, Y9, Y9
narrow:
	MOVQ X0, (AX)
	MOVQ X0, 8(AX)
	MOVQ X0, 16(AX)
	MOVL $1, 24(AX)
	XORL AX, AX
	MOVQ AX, s+0(FP)
forever:
	PAUSE
	JMP forever

// func hasAVX() bool
TEXT ·hasAVX(SB), NOSPLIT, $0-1
	MOVL $1, AX
	XORL CX, CX
	CPUID
	SHRL $28, CX
	ANDL $1, CX
	MOVB CX, ret+0(FP)
	RET
