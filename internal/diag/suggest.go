package diag

// Suggest returns the candidate nearest to word, if one is near enough that a
// person probably meant it; else "".
func Suggest(word string, candidates []string) string {
	best, bestCost := "", len([]rune(word))/3+1
	for _, c := range candidates {
		if d := distance(word, c, bestCost); d < bestCost || d == bestCost && best == "" {
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

// distance is the optimal string alignment distance (edits and swaps of
// neighbours), or limit+1 when it is greater than limit.
func distance(a, b string, limit int) int {
	x, y := []rune(a), []rune(b)
	if d := len(x) - len(y); d > limit || -d > limit {
		return limit + 1
	}
	before, prev, cur := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(x); i++ {
		cur[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, prev, cur = prev, cur, before
	}
	return min(prev[len(y)], limit+1)
}
