package gen

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"rte/internal/event"
)

// sentence makes a sentence of a phrase of the catalogue.
func sentence(phrase string) string {
	if phrase == "" {
		return ""
	}
	s := phrase
	r, n := utf8.DecodeRuneInString(phrase)
	if word, _, _ := strings.Cut(phrase, " "); !strings.ContainsFunc(word[n:], unicode.IsUpper) { // else a name: CallBackId
		s = string(unicode.ToUpper(r)) + phrase[n:]
	}
	if !strings.ContainsAny(s[len(s)-1:], ".!?") {
		s += "."
	}
	return s
}

// text joins sentences.
func text(sentences ...string) string {
	var good []string
	for _, s := range sentences {
		if s != "" {
			good = append(good, s)
		}
	}
	return strings.Join(good, " ")
}

// about is what a type is, in sentences.
func about(t *event.Type) string { return text(sentence(t.Summary), sentence(t.Note)) }

// aboutField is what a field means, in sentences.
func aboutField(f *event.Field) string {
	return text(sentence(f.Summary), unitText(f), values(f), sentence(f.Note))
}

func unitText(f *event.Field) string {
	if f.Unit == "" {
		return ""
	}
	return "Unit: " + f.Unit + "."
}

// values lists what an enum allows or knows.
func values(f *event.Field) string {
	if f.Values == nil {
		return ""
	}
	list := make([]string, len(f.Values.Values))
	for i, v := range f.Values.Values {
		list[i] = v.Value
		if v.Name != "" {
			list[i] += " " + v.Name
		}
		if v.Meaning != "" {
			list[i] += " (" + v.Meaning + ")"
		}
	}
	s := "Values: " + strings.Join(list, ", ")
	if !f.Values.Closed {
		s = "Known values: " + strings.Join(list, ", ") + "; others may come"
	}
	return text(s+".", sentence(f.Values.Note))
}

// typeText is a field's type as the product's page writes it.
func typeText(f *event.Field) string {
	s := f.Type
	if f.List {
		s = "List<" + s + ">"
	}
	if f.Nullable {
		s += "?"
	}
	return s
}

// hearerText says who a relation is.
func hearerText(h event.Hearers) string {
	var list []string
	for _, name := range h.Names() {
		switch name {
		case "self":
			name = "the user itself"
		case "users":
			name = "whoever has the user in `users`"
		case "queues":
			name = "whoever has the queue in `queues`"
		case "lists":
			name = "whoever has the list in `lists`"
		case "managedUsers":
			name = "group managers who have the user in `users`"
		case "managedLists":
			name = "group managers who have the list in `lists`"
		case "supervisor":
			name = "supervisors"
		}
		list = append(list, name)
	}
	if list == nil {
		return "nobody"
	}
	return strings.Join(list, "; ")
}

// lines wraps a text at 100 characters and puts a prefix before each line.
func lines(prefix, s string) string {
	var b strings.Builder
	n := 0
	for _, word := range strings.Fields(s) {
		if n > 0 && n+1+len(word) > 100 {
			b.WriteByte('\n')
			n = 0
		}
		if n == 0 {
			b.WriteString(prefix)
		} else {
			b.WriteByte(' ')
			n++
		}
		b.WriteString(word)
		n += len(word)
	}
	b.WriteByte('\n')
	return b.String()
}
