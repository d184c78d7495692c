// SPDX-License-Identifier: Apache-2.0

package main

const firstArgument = 8 // the return address of the callee's frame comes first
