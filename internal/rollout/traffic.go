package rollout

import "sort"

// Target is a Cloud Run v2 TrafficTarget.
type Target struct {
	Type     string `json:"type,omitempty"`
	Revision string `json:"revision,omitempty"` // short name
	Percent  int    `json:"percent,omitempty"`
	Tag      string `json:"tag,omitempty"`
}

// The types of a Target.
const (
	ToLatest   = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
	ToRevision = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
)

// Shift gives revision the percentage and the others what is left, in their
// present proportions; when they have none, fallback gets it. Tags stay; an
// untagged target without traffic goes. Every target names its revision, so
// that a later deployment moves nothing. The sum is always 100.
func Shift(now []Target, revision string, percent int, fallback string) []Target {
	percent = min(max(percent, 0), 100)
	shares, order := merge(now)
	delete(shares, revision)
	rest := 0
	for _, v := range shares {
		rest += v
	}
	switch {
	case rest > 0:
		shares = scale(shares, 100-percent)
	case percent < 100 && fallback != "" && fallback != revision:
		shares = map[string]int{fallback: 100 - percent}
		order = appendNew(order, fallback)
	default:
		percent = 100
	}
	shares[revision] = percent
	return targets(appendNew(order, revision), shares, tags(now))
}

// merge sums the percentages by revision and keeps the order of first mention.
func merge(now []Target) (map[string]int, []string) {
	shares := map[string]int{}
	var order []string
	for _, t := range now {
		order = appendNew(order, t.Revision)
		shares[t.Revision] += max(0, t.Percent)
	}
	return shares, order
}

// scale makes the shares sum to total by largest remainder, as gcloud does:
// the larger lost fraction first, then the smaller share, then the name.
func scale(shares map[string]int, total int) map[string]int {
	sum := 0
	names := make([]string, 0, len(shares))
	for name, v := range shares {
		sum += v
		names = append(names, name)
	}
	out := make(map[string]int, len(shares))
	left := total
	for name, v := range shares {
		out[name] = v * total / sum
		left -= out[name]
	}
	sort.Slice(names, func(i, j int) bool {
		a, b := names[i], names[j]
		if x, y := shares[a]*total%sum, shares[b]*total%sum; x != y {
			return x > y
		}
		if shares[a] != shares[b] {
			return shares[a] < shares[b]
		}
		return a < b
	})
	for _, name := range names[:left] {
		out[name]++
	}
	return out
}

func tags(now []Target) map[string][]string {
	byRevision := map[string][]string{}
	for _, t := range now {
		if t.Tag != "" {
			byRevision[t.Revision] = append(byRevision[t.Revision], t.Tag)
		}
	}
	return byRevision
}

func targets(order []string, shares map[string]int, tags map[string][]string) []Target {
	var out []Target
	for _, name := range order {
		t := Target{Type: ToRevision, Revision: name, Percent: shares[name]}
		if len(tags[name]) == 0 {
			if t.Percent > 0 {
				out = append(out, t)
			}
			continue
		}
		for _, tag := range tags[name] {
			t.Tag = tag
			out = append(out, t)
			t.Percent = 0
		}
	}
	return out
}

func appendNew(list []string, s string) []string {
	for _, x := range list {
		if x == s {
			return list
		}
	}
	return append(list, s)
}
