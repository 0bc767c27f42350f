package diag

// Suggest returns the candidate nearest to word, if one is near enough that a
// person probably meant it; else "".
func Suggest(word string, candidates []string) string {
	best, bestCost := "", len([]rune(word))/3+1
	var m meter
	for _, c := range candidates {
		if d := m.distance(word, c, bestCost); d < bestCost || d == bestCost && best == "" {
			best, bestCost = c, d
		}
	}
	if best == word {
		return ""
	}
	return best
}

// DidYouMean formats Suggest's answer as a hint, or returns "".
func DidYouMean(word string, candidates []string) string {
	if s := Suggest(word, candidates); s != "" {
		return `did you mean "` + s + `"?`
	}
	return ""
}

// A meter measures distances between words; it keeps its rows from one to the
// next.
type meter struct{ x, y, before, prev, cur []int }

// distance is the optimal string alignment distance (edits and swaps of
// neighbours), or limit+1 when it is greater than limit.
func (m *meter) distance(a, b string, limit int) int {
	m.x, m.y = runes(m.x, a), runes(m.y, b)
	x, y := m.x, m.y
	if d := len(x) - len(y); d > limit || -d > limit {
		return limit + 1
	}
	for _, row := range []*[]int{&m.before, &m.prev, &m.cur} {
		*row = append((*row)[:0], y...) // of that length
		*row = append(*row, 0)
	}
	before, prev, cur := m.before, m.prev, m.cur
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(x); i++ {
		cur[0] = i
		least := i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
			least = min(least, cur[j])
		}
		if least > limit+1 { // a swap may save one edit, not two
			return limit + 1
		}
		before, prev, cur = prev, cur, before
	}
	return min(prev[len(y)], limit+1)
}

func runes(buffer []int, s string) []int {
	buffer = buffer[:0]
	for _, r := range s {
		buffer = append(buffer, int(r))
	}
	return buffer
}
