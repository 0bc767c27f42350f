package evaluate

import (
	"fmt"
	"strings"
)

func (r *result) line() string {
	return fmt.Sprintf("accuracy %s on held-out rows", r.scores)
}

// report is Markdown: the verdict first.
func (r *result) report() string {
	var b strings.Builder
	verdict := "passed"
	if !r.passed() {
		verdict = "did not pass"
	}
	fmt.Fprintf(&b, "# Evaluation: %s\n\n", verdict)
	fmt.Fprintf(&b, "| | accuracy | right | rows |\n|---|---:|---:|---:|\n")
	total := r.scores.Total()
	fmt.Fprintf(&b, "| candidate | %.4f | %d | %d |\n", r.scores.Accuracy(), right(r.scores.Confusion), total)
	if r.champion != nil {
		fmt.Fprintf(&b, "| champion | %.4f | %d | %d |\n", r.champion.Accuracy(), right(r.champion.Confusion), r.champion.Total())
	}
	fmt.Fprintf(&b, "| threshold | %.4f | | |\n", r.MinAccuracy)
	if r.champion == nil {
		fmt.Fprintf(&b, "\nNo champion: %s.\n", r.note)
	}
	b.WriteString("\n## By class\n\n| class | precision | recall | rows |\n|---|---:|---:|---:|\n")
	for _, s := range r.scores.ByClass() {
		fmt.Fprintf(&b, "| %s | %.4f | %.4f | %d |\n", s.Class, s.Precision, s.Recall, s.Rows)
	}
	b.WriteString("\n## Confusion\n\n")
	b.WriteString(r.confusion())
	return b.String()
}

// confusion is the matrix as a Markdown table: true classes in rows.
func (r *result) confusion() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| true \\ predicted | %s |\n|---|%s\n", strings.Join(r.scores.Classes, " | "), strings.Repeat("---:|", len(r.scores.Classes)))
	for i, class := range r.scores.Classes {
		fmt.Fprintf(&b, "| %s |", class)
		for _, n := range r.scores.Confusion[i] {
			fmt.Fprintf(&b, " %d |", n)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func right(confusion [][]int) int {
	n := 0
	for i := range confusion {
		n += confusion[i][i]
	}
	return n
}
