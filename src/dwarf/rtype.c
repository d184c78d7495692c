// SPDX-License-Identifier: Apache-2.0
// From a type in DWARF to its runtime descriptor. DW_AT_go_runtime_type holds no address, although
// its form says so, but an offset from the start of the section that the linker put the descriptors
// into (cmd/link, R_ADDROFF): .rodata, .data.rel.ro of a PIE, .go.type since go1.27; of the section
// as Go's linker saw it, which the system's linker may have moved into a larger one. So the start
// is found by looking where descriptors of the right size and kind are (internal/abi/type.go,
// Type). In go1.22 uintptr and unsafe.Pointer alone have addresses there.
#include "dwarf/internal.h"

enum {
	RTYPE_BYTES = 48, // size of abi.Type
	RTYPE_PTR_BYTES = 8,
	RTYPE_ALIGN = 21,
	RTYPE_KIND = 23,
	KIND_MASK = 31, // flags above, ..go1.25
	MAX_SAMPLES = 64,
};

static bool is_rtype(const struct gh_dwarf *dwarf, gh_addr addr, uint64_t size, uint64_t kind)
{
	const uint8_t *p = addr % 8 == 0 ? gh_elf_at(dwarf->elf, addr, RTYPE_BYTES) : NULL;

	return p && gh_u64_at(p) == size && (p[RTYPE_KIND] & KIND_MASK) == kind &&
	       gh_u64_at(p + RTYPE_PTR_BYTES) <= size && p[RTYPE_ALIGN] &&
	       (p[RTYPE_ALIGN] & (p[RTYPE_ALIGN] - 1)) == 0;
}

/* What a type says of itself: where its descriptor is, and what must be there. */
struct claim {
	uint64_t value, size, kind;
};

static bool read_claim(struct gh_dwarf *dwarf, Dwarf_Die *die, struct claim *claim)
{
	enum { KIND_UNSAFE_POINTER = 26 };

	if (!gh_dwarf_attr_u64(die, GH_AT_go_runtime_type, &claim->value))
		return false;
	if (!gh_dwarf_attr_u64(die, GH_AT_go_kind, &claim->kind))
		claim->kind = KIND_UNSAFE_POINTER; // the one type that has no kind
	claim->kind &= KIND_MASK;
	claim->size = gh_dwarf_size_of(dwarf, *die);
	return true;
}

/* Structs of the program whose descriptors the start is tried on. Their sizes differ. */
static size_t take_samples(struct gh_dwarf *dwarf, struct claim *samples)
{
	// a few thousand names are looked at if few types have descriptors
	enum { MAX_TRIES = 4096 };
	size_t n = 0, len = dwarf->names.len;
	size_t step = len / MAX_TRIES + 1;

	for (size_t i = 0; i < len && n < MAX_SAMPLES; i += step) {
		Dwarf_Die die;

		if (!dwarf->names.data[i].is_typedef &&
		    gh_dwarf_die_at(dwarf, dwarf->names.data[i].die, &die) &&
		    read_claim(dwarf, &die, &samples[n]) && samples[n].size && samples[n].value)
			n++;
	}
	return n;
}

static void calibrate(struct gh_dwarf *dwarf)
{
	static const char *const sections[] = {".go.type", ".data.rel.ro", ".rodata"};
	static const char *const symbols[] = {"runtime.types", "runtime.rodata", "type:*"};
	enum { NSECTIONS = GH_ARRAY_SIZE(sections), NSYMBOLS = GH_ARRAY_SIZE(symbols) };
	struct claim samples[MAX_SAMPLES];
	size_t n = take_samples(dwarf, samples), best = 0;

	for (size_t i = 0; i < NSECTIONS + NSYMBOLS; i++) {
		const struct gh_elf_section *section =
			i < NSECTIONS ? gh_elf_section(dwarf->elf, sections[i]) : NULL;
		struct gh_elf_symbol symbol;
		size_t good = 0;
		gh_addr base;

		if (i >= NSECTIONS &&
		    gh_elf_symbol_find(dwarf->elf, symbols[i - NSECTIONS], &symbol))
			base = symbol.addr;
		else if (section)
			base = section->addr;
		else
			continue;
		for (size_t k = 0; k < n; k++)
			good += is_rtype(dwarf, base + samples[k].value, samples[k].size,
					 samples[k].kind);
		if (good > best) {
			best = good;
			dwarf->rtype_base = base;
		}
	}
	// references to descriptors that the linker dropped lead anywhere
	dwarf->rtype_base_known = best > n / 4;
}

gh_addr gh_dwarf_rtype(struct gh_dwarf *dwarf, Dwarf_Die *die)
{
	struct claim claim;
	struct gh_error *err;

	if (!read_claim(dwarf, die, &claim))
		return 0;
	if (!dwarf->rtype_calibrated) {
		err = gh_dwarf_scan_runtime(dwarf);
		if (!err)
			calibrate(dwarf);
		gh_error_destroy(err);
		dwarf->rtype_calibrated = true;
	}
	if (dwarf->rtype_base_known &&
	    is_rtype(dwarf, dwarf->rtype_base + claim.value, claim.size, claim.kind))
		return dwarf->rtype_base + claim.value;
	return is_rtype(dwarf, claim.value, claim.size, claim.kind) ? claim.value : 0;
}
