// SPDX-License-Identifier: Apache-2.0

package main

const firstArgument = 0 // bytes above the canonical frame address
