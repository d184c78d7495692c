// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"net"
	"reflect"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

const (
	elements = 1000 // of slices, arrays, maps, channels
	depth    = 2    // pointers in a row
)

// Text that reflect does not tell, by address.
var (
	noted       = map[uintptr]string{}
	notedUnsafe = map[uintptr]string{}
	notedChans  = map[uintptr]chanNote{}
)

type chanNote struct {
	state string
	items []any
}

func note(p unsafe.Pointer, text string)       { noted[uintptr(p)] = text }
func noteUnsafe(p unsafe.Pointer, text string) { notedUnsafe[uintptr(p)] = text }

func noteChan(c any, state string, items ...any) {
	notedChans[reflect.ValueOf(c).Pointer()] = chanNote{state, items}
}

func codeOf(f func(int) int) uintptr { return reflect.ValueOf(f).Pointer() }

// A string is stated as its bytes: how a literal of it looks is the reader's business.
type stated struct {
	Before string // the text in front of it
	Hex    string
	After  string
}

type walker struct {
	rows map[string]any
}

func stateAs(p any, name string) object {
	v := reflect.ValueOf(p).Elem()
	w := walker{map[string]any{}}
	w.walk("", v, depth)
	return object{fmt.Sprintf("%#x", v.UnsafeAddr()), typeName(v.Type()), name, w.rows}
}

func (w walker) put(name string, text any) {
	if name != ".*" && !strings.HasPrefix(name, ".*[") && !strings.HasPrefix(name, ".*.") {
		name = strings.TrimPrefix(name, ".")
	}
	if name == "" {
		name = "*"
	}
	w.rows[name] = text
}

// typeName is the full name, by import path.
func typeName(t reflect.Type) string {
	if t.Name() != "" {
		if t.PkgPath() == "" {
			return t.Name()
		}
		return t.PkgPath() + "." + t.Name()
	}
	switch t.Kind() {
	case reflect.Pointer:
		return "*" + typeName(t.Elem())
	case reflect.Slice:
		return "[]" + typeName(t.Elem())
	case reflect.Array:
		return fmt.Sprintf("[%d]%s", t.Len(), typeName(t.Elem()))
	case reflect.Map:
		return "map[" + typeName(t.Key()) + "]" + typeName(t.Elem())
	}
	return t.String()
}

// clean gives a value that may be looked into, whoever wrote its fields.
func clean(v reflect.Value) reflect.Value {
	if v.CanAddr() {
		return reflect.NewAt(v.Type(), unsafe.Pointer(v.UnsafeAddr())).Elem()
	}
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	return c
}

func float(f float64, bits int) string {
	if bits == 32 {
		return fmt.Sprint(float32(f))
	}
	return fmt.Sprint(f)
}

func code(pc uintptr) string {
	f := runtime.FuncForPC(pc)
	file, line := f.FileLine(pc)
	return fmt.Sprintf("%s at %s:%d", f.Name(), file, line)
}

func instant(t time.Time) string {
	text := t.UTC().Format(time.RFC3339Nano)
	if name := t.Location().String(); name != "UTC" {
		text += " " + name
	}
	if i := strings.Index(t.String(), " m="); i >= 0 {
		text += t.String()[i:]
	}
	return text
}

// integer is shown whole up to 1024 bits.
func integer(n *big.Int) string {
	words := n.Bits()
	if len(words) <= 16 {
		return n.String()
	}
	sign := ""
	if n.Sign() < 0 {
		sign = "-"
	}
	return fmt.Sprintf("%s%#x… (%d bits)", sign, uint(words[len(words)-1]), n.BitLen())
}

func textOf(v any) string {
	if s, ok := v.(stated); ok {
		raw, _ := hex.DecodeString(s.Hex)
		return s.Before + strconv.Quote(string(raw)) + s.After // plain ones only
	}
	s, _ := v.(string)
	return s
}

// walk states a value and its parts.
func (w walker) walk(name string, v reflect.Value, follow int) {
	v = clean(v)
	if w.known(name, v, follow) {
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		w.put(name, fmt.Sprint(v.Bool()))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		w.put(name, strconv.FormatInt(v.Int(), 10))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		w.put(name, strconv.FormatUint(v.Uint(), 10))
	case reflect.Uintptr:
		w.address(name, uintptr(v.Uint()))
	case reflect.Float32, reflect.Float64:
		w.put(name, float(v.Float(), v.Type().Bits()))
	case reflect.Complex64:
		w.put(name, fmt.Sprint(complex64(v.Complex())))
	case reflect.Complex128:
		w.put(name, fmt.Sprint(v.Complex()))
	case reflect.String:
		w.put(name, stated{Hex: hex.EncodeToString([]byte(v.String()))})
	case reflect.Struct:
		w.structure(name, v, follow)
	case reflect.Array:
		w.array(name, v, follow)
	case reflect.Slice:
		w.slice(name, v, follow)
	case reflect.Map:
		w.dict(name, v, follow)
	case reflect.Chan:
		w.channel(name, v, follow)
	case reflect.Func:
		if v.IsNil() {
			w.put(name, "nil")
		} else {
			w.put(name, code(v.Pointer()))
		}
	case reflect.Pointer:
		w.pointer(name, v, follow)
	case reflect.UnsafePointer:
		if v.IsNil() {
			w.put(name, "nil")
		} else {
			w.put(name, fmt.Sprintf("%#x (%s)", v.Pointer(), notedUnsafe[v.Pointer()]))
		}
	case reflect.Interface:
		w.dynamic(name, v, follow)
	}
}

func (w walker) address(name string, p uintptr) {
	text := fmt.Sprintf("%#x", p)
	if runtime.FuncForPC(p) != nil {
		text += " (" + code(p) + ")"
	}
	w.put(name, text)
}

func (w walker) known(name string, v reflect.Value, follow int) bool {
	if text, ok := noted[v.UnsafeAddr()]; ok && strings.HasPrefix(v.Type().String(), "sync.") {
		w.put(name, text)
		return true
	}
	switch t := v.Addr().Interface().(type) {
	case *time.Time:
		w.put(name, instant(*t))
	case *time.Duration:
		w.put(name, t.String())
	case *atomic.Int32:
		w.put(name, fmt.Sprint(t.Load()))
	case *atomic.Int64:
		w.put(name, fmt.Sprint(t.Load()))
	case *atomic.Uint32:
		w.put(name, fmt.Sprint(t.Load()))
	case *atomic.Uint64:
		w.put(name, fmt.Sprint(t.Load()))
	case *atomic.Uintptr:
		w.address(name, t.Load())
	case *atomic.Bool:
		w.put(name, fmt.Sprint(t.Load()))
	case *atomic.Pointer[small]:
		w.walk(name, reflect.ValueOf(t.Load()), follow)
	case *atomic.Value:
		held := t.Load()
		w.dynamic(name, reflect.ValueOf(&held).Elem(), follow)
	case *sync.Map:
		w.syncMap(name, t, follow)
	case *big.Int:
		w.put(name, integer(t))
	case *net.IP:
		if len(*t) != 4 && len(*t) != 16 {
			return false
		}
		w.put(name, fmt.Sprintf("len %d, cap %d, %s", len(*t), cap(*t), t))
	case fmt.Stringer:
		if v.Type().PkgPath() != "net/netip" {
			return false
		}
		w.put(name, t.String())
	default:
		return false
	}
	return true
}

func (w walker) structure(name string, v reflect.Value, follow int) {
	if v.NumField() == 0 {
		w.put(name, "{}")
		return
	}
	w.put(name, nil)
	for i := 0; i < v.NumField(); i++ {
		if field := v.Type().Field(i).Name; field != "_" {
			w.walk(name+"."+field, v.Field(i), follow)
		}
	}
}

func (w walker) array(name string, v reflect.Value, follow int) {
	if v.Len() == 0 {
		w.put(name, "[]")
		return
	}
	if v.Type().Elem().Kind() == reflect.Uint8 {
		text := "0x"
		for i := 0; i < v.Len() && i < 32; i++ {
			text += fmt.Sprintf("%02x", v.Index(i).Uint())
		}
		if v.Len() > 32 {
			text += fmt.Sprintf("… (%d bytes)", v.Len())
		}
		w.put(name, text)
		return
	}
	w.put(name, nil)
	w.items(name, v, follow)
}

func (w walker) items(name string, v reflect.Value, follow int) {
	for i := 0; i < v.Len() && i < elements; i++ {
		w.walk(fmt.Sprintf("%s[%d]", name, i), v.Index(i), follow)
	}
}

func (w walker) slice(name string, v reflect.Value, follow int) {
	if v.IsNil() {
		w.put(name, "nil")
		return
	}
	text := fmt.Sprintf("len %d, cap %d", v.Len(), v.Cap())
	if v.Type().Elem().Kind() == reflect.Uint8 {
		if strings.Contains(string(v.Bytes()), "\x00") {
			w.put(name, text+", 0x"+hex.EncodeToString(v.Bytes()))
		} else {
			w.put(name, stated{Before: text + ", ", Hex: hex.EncodeToString(v.Bytes())})
		}
		return
	}
	w.put(name, text)
	w.items(name, v, follow)
}

// brief is a key in one line.
func brief(v reflect.Value) string {
	w := walker{map[string]any{}}
	v = clean(v)
	switch v.Kind() {
	case reflect.Struct, reflect.Array:
		var parts []string
		for i := 0; v.Kind() == reflect.Struct && i < v.NumField(); i++ {
			parts = append(parts, v.Type().Field(i).Name+": "+brief(v.Field(i)))
		}
		for i := 0; v.Kind() == reflect.Array && i < v.Len() && i < 4; i++ {
			parts = append(parts, brief(v.Index(i)))
		}
		if v.Kind() == reflect.Array && v.Len() > 4 {
			parts = append(parts, "…")
		}
		if v.Kind() == reflect.Struct {
			return "{" + strings.Join(parts, ", ") + "}"
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case reflect.Chan:
		return fmt.Sprintf("len %d, cap %d", v.Len(), v.Cap())
	case reflect.Interface:
		held := v.Elem()
		if held.Kind() == reflect.Struct {
			return typeName(held.Type()) + brief(held)
		}
	}
	w.walk("", v, 0)
	return textOf(w.rows["*"])
}

// entryName has a key of at most 60 bytes.
func entryName(name string, key reflect.Value) string {
	text := brief(key)
	if len(text) > 60 {
		text = text[:60] + "…"
	}
	return name + "[" + text + "]"
}

func (w walker) dict(name string, v reflect.Value, follow int) {
	if v.IsNil() {
		w.put(name, "nil")
		return
	}
	w.put(name, fmt.Sprintf("len %d", v.Len()))
	for iter := v.MapRange(); iter.Next(); {
		w.walk(entryName(name, iter.Key()), iter.Value(), follow)
	}
}

func (w walker) syncMap(name string, m *sync.Map, follow int) {
	w.put(name, "empty")
	m.Range(func(key, value any) bool {
		w.put(name, nil)
		w.walk(entryName(name, reflect.ValueOf(&key).Elem()), reflect.ValueOf(&value).Elem(), follow)
		return true
	})
}

func (w walker) channel(name string, v reflect.Value, follow int) {
	if v.IsNil() {
		w.put(name, "nil")
		return
	}
	note := notedChans[v.Pointer()]
	w.put(name, fmt.Sprintf("len %d, cap %d%s", v.Len(), v.Cap(), note.state))
	for i, item := range note.items {
		w.walk(fmt.Sprintf("%s[%d]", name, i), reflect.ValueOf(item), follow)
	}
}

func (w walker) pointer(name string, v reflect.Value, follow int) {
	if v.IsNil() {
		w.put(name, "nil")
		return
	}
	w.put(name, fmt.Sprintf("%#x", v.Pointer()))
	if follow == 0 || v.Type().Elem().Size() == 0 {
		return
	}
	behind := walker{map[string]any{}}
	if v.Elem().Kind() != reflect.Struct {
		w.walk(name+".*", v.Elem(), follow-1)
		return
	}
	behind.walk("", v.Elem(), follow-1)
	if len(behind.rows) == 1 { // a time, a lock
		w.put(name+".*", behind.rows["*"])
		return
	}
	for _, part := range sorted(behind.rows) {
		if part != "*" {
			w.put(name+"."+part, behind.rows[part])
		}
	}
}

func sorted(rows map[string]any) (names []string) {
	for name := range rows {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func (w walker) dynamic(name string, v reflect.Value, follow int) {
	if v.IsNil() {
		w.put(name, "nil")
		return
	}
	held := v.Elem()
	parts := walker{map[string]any{}}
	parts.walk("", held, follow)
	dynamic := typeName(held.Type())
	if s, ok := parts.rows["*"].(stated); ok {
		w.put(name, stated{dynamic + "(" + s.Before, s.Hex, s.After + ")"})
	} else if own := textOf(parts.rows["*"]); own != "" {
		w.put(name, dynamic+"("+own+")")
	} else {
		w.put(name, dynamic)
	}
	if len(parts.rows) == 1 {
		return
	}
	under := name + ".(" + dynamic + ")"
	for _, part := range sorted(parts.rows) {
		switch {
		case part == "*":
			w.put(under, parts.rows[part])
		case part[0] == '[' || part[0] == '.':
			w.put(under+part, parts.rows[part])
		default:
			w.put(under+"."+part, parts.rows[part])
		}
	}
}
