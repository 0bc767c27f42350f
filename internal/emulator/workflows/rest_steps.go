package workflows

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/kakehi/kakehi/internal/emulator/listing"
)

func (s *Service) restListSteps(req request) (any, error) {
	all, err := s.stepsFor(req, "workflows.stepEntries.list")
	if err != nil {
		return nil, err
	}
	size, err := intOf(req, "pageSize")
	if err != nil {
		return nil, err
	}
	skip, err := intOf(req, "skip")
	if err != nil {
		return nil, err
	}
	q := listing.Query{
		Parent: req.name, Filter: req.query["filter"], OrderBy: req.query["orderBy"],
		PageToken: req.query["pageToken"], PageSize: size, Skip: skip, Default: 1000, Max: 1000,
		Orders: []string{"entryId", "createTime", "updateTime", "routine", "step", "stepType", "state"},
	}
	search, err := q.Search(stepEntry{}.fields())
	if err != nil {
		return nil, err
	}
	if all, err = listing.Select(search, all, stepEntry.fields); err != nil {
		return nil, err
	}
	listing.Sort(search, all, stepEntry.fields)
	page, next, err := listing.Slice(search, all)
	return struct {
		StepEntries   []stepEntry `json:"stepEntries,omitempty"`
		NextPageToken string      `json:"nextPageToken,omitempty"`
		TotalSize     int         `json:"totalSize,omitempty"`
	}{page, next, len(all)}, err
}

func (s *Service) restGetStep(req request) (any, error) {
	all, err := s.stepsFor(req, "workflows.stepEntries.get")
	if err != nil {
		return nil, err
	}
	name := req.name + "/stepEntries/" + req.id
	id, err := strconv.ParseInt(req.id, 10, 64)
	if err != nil {
		return nil, notFound(name)
	}
	i, ok := slices.BinarySearchFunc(all, id, func(e stepEntry, id int64) int { return cmp.Compare(e.EntryID, id) })
	if !ok {
		return nil, notFound(name)
	}
	return all[i], nil
}

func (s *Service) stepsFor(req request, permission string) ([]stepEntry, error) {
	name, err := s.parseExecution(req.name)
	if err != nil {
		return nil, err
	}
	if err := s.opts.Auth.Require(req.Context(), permission, s.workflowName(name.workflow)); err != nil {
		return nil, err
	}
	if _, err := s.record(name); err != nil {
		return nil, err
	}
	return s.stepEntries(name)
}
