package source

import "strings"

// block reads a literal or folded scalar, and ends at the end of its last line.
func (d *decoder) block(fold bool) bool {
	d.at++
	chomp, indent, ok := d.header()
	if !ok || d.parent < 0 {
		return false
	}
	if indent > 0 {
		indent += d.parent
	} else if indent, ok = d.detect(); !ok {
		return false
	}
	end, pending, began := d.at, 0, false // pending line breaks
	apart := true                         // the last line does not join the next
	for d.at < len(d.text) {
		line := d.at + 1
		text, blank, ok := d.line(line, indent)
		if !ok {
			return false
		}
		if text < 0 {
			break
		}
		if blank {
			d.at = text
			pending++
			continue
		}
		if fold {
			more := d.text[text] == ' ' || d.text[text] == '\t' // indented more
			if !apart && !more {
				pending = d.join(pending, end)
			}
			apart = more
		}
		for range pending {
			d.put('\n', end)
		}
		d.at = lineEnd(d.text, text)
		d.run(text, d.at)
		if d.at == len(d.text) && strings.TrimLeft(d.text[text:], " \t") == "" {
			return false
		}
		end, pending, began = d.at, 1, true
	}
	d.at = end
	return d.chomp(chomp, pending, began)
}

// join writes the space that a single line break between two lines stands for,
// and returns the breaks that are left.
func (d *decoder) join(pending, at int) int {
	if pending == 1 {
		d.put(' ', at)
	}
	return pending - 1
}

// chomp ends the value, as the header says.
func (d *decoder) chomp(how byte, pending int, began bool) bool {
	if how == '+' && (!began || d.at == len(d.text)) {
		return false
	}
	switch {
	case how == '+':
		for range pending {
			d.put('\n', d.at)
		}
	case how == 0 && began && d.at < len(d.text):
		d.put('\n', d.at)
	}
	return true
}

// header reads what follows | or >: how to treat the last line breaks, and the
// indentation if it is given.
func (d *decoder) header() (chomp byte, indent int, ok bool) {
	for ; ; d.at++ {
		switch c := d.peek(); {
		case (c == '+' || c == '-') && chomp == 0:
			chomp = c
		case '1' <= c && c <= '9' && indent == 0:
			indent = int(c - '0')
		default:
			from := d.at
			for d.peek() == ' ' {
				d.at++
			}
			if d.peek() == '#' && d.at > from {
				d.at = lineEnd(d.text, d.at)
			}
			return chomp, indent, d.peek() == '\n'
		}
	}
}

func lineEnd(text string, at int) int {
	if i := strings.IndexByte(text[at:], '\n'); i >= 0 {
		return at + i
	}
	return len(text)
}

// detect returns the indentation of the first line that is not blank.
func (d *decoder) detect() (int, bool) {
	longest := 0
	for line := d.at + 1; line < len(d.text); {
		i := line
		for i < len(d.text) && d.text[i] == ' ' {
			i++
		}
		switch {
		case i == len(d.text) || d.text[i] == '\t':
			return 0, false
		case d.text[i] != '\n':
			indent := max(i-line, d.parent+1)
			return indent, longest <= indent
		}
		longest = max(longest, i-line)
		line = i + 1
	}
	return max(longest, d.parent+1), true
}

// line finds the text of a line, or the end of a blank one; text is -1 when the
// line does not belong to the scalar.
func (d *decoder) line(at, indent int) (text int, blank, ok bool) {
	i := at
	for i < len(d.text) && i-at < indent && d.text[i] == ' ' {
		i++
	}
	switch {
	case i >= len(d.text):
		return -1, false, i == at || i-at < indent
	case d.text[i] == '\n':
		return i, true, true
	case i-at == indent:
		return i, false, true
	}
	return -1, false, d.text[i] != '\t'
}
