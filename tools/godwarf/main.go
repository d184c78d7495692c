// SPDX-License-Identifier: Apache-2.0

// Godwarf prints, as JSON, where an executable's DWARF says the runtime's struct fields lie.
//
//	godwarf LAYOUT_FIELDS_DEF EXECUTABLE
//
// It looks up only the structs that the list names (src/goruntime/layout_fields.def); alternatives
// "new|old" are all looked up. tools/gen-layouts turns the output into the tables of a release.
package main

import (
	"debug/buildinfo"
	"debug/dwarf"
	"debug/elf"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// A member of a struct: name, offset, size, type.
type member [4]any

type layout struct {
	Size   int64    `json:"size"`
	Fields []member `json:"fields"`
}

type document struct {
	Go      string            `json:"go"`
	Arch    string            `json:"arch"`
	Structs map[string]layout `json:"structs"`
}

var (
	entry  = regexp.MustCompile(`(?m)^[SF]\(\w+, "([^"]+)"`)
	arches = map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64"}
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: godwarf LAYOUT_FIELDS_DEF EXECUTABLE")
		os.Exit(2)
	}
	doc, err := describe(os.Args[1], os.Args[2])
	if err == nil {
		encoder := json.NewEncoder(os.Stdout)
		encoder.SetIndent("", " ")
		err = encoder.Encode(doc)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "godwarf:", err)
		os.Exit(1)
	}
}

func describe(list, executable string) (*document, error) {
	names, err := structNames(list)
	if err != nil {
		return nil, err
	}
	info, err := buildinfo.ReadFile(executable)
	if err != nil {
		return nil, err
	}
	file, err := elf.Open(executable)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	arch, ok := arches[file.Machine]
	if !ok {
		return nil, fmt.Errorf("%s: unknown architecture %v", executable, file.Machine)
	}
	data, err := file.DWARF()
	if err != nil {
		return nil, err
	}
	structs, err := findStructs(data, names)
	return &document{Go: info.GoVersion, Arch: arch, Structs: structs}, err
}

// structNames lists every struct that the list of fields speaks of.
func structNames(path string) (map[string]bool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, match := range entry.FindAllSubmatch(text, -1) {
		for _, name := range strings.Split(string(match[1]), "|") {
			names[name] = true
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s names no struct", path)
	}
	return names, nil
}

func findStructs(data *dwarf.Data, names map[string]bool) (map[string]layout, error) {
	found := map[string]layout{}
	reader := data.Reader()
	for {
		die, err := reader.Next()
		if err != nil || die == nil {
			return found, err
		}
		name, _ := die.Val(dwarf.AttrName).(string)
		if die.Tag == dwarf.TagStructType && names[name] {
			t, err := data.Type(die.Offset)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			if s, ok := t.(*dwarf.StructType); ok && !s.Incomplete {
				found[name] = layout{s.ByteSize, members(nil, "", 0, s)}
			}
		}
		if die.Children && die.Tag != dwarf.TagCompileUnit {
			reader.SkipChildren()
		}
	}
}

// members lists the fields of s, those of unnamed inner structs as "outer.inner" after the outer.
func members(list []member, prefix string, base int64, s *dwarf.StructType) []member {
	for _, f := range s.Field {
		name, offset := prefix+f.Name, base+f.ByteOffset
		list = append(list, member{name, offset, f.Type.Size(), f.Type.String()})
		if inner, ok := f.Type.(*dwarf.StructType); ok && strings.HasPrefix(inner.StructName, "struct {") {
			list = members(list, name+".", offset, inner)
		}
	}
	return list
}
