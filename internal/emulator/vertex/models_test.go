package vertex

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	pb "cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func (c *cloud) upload(parentModel, id string, change ...func(*pb.Model)) (*pb.UploadModelResponse, error) {
	m := &pb.Model{DisplayName: "penguins", ArtifactUri: "gs://data/model", ContainerSpec: &pb.ModelContainerSpec{ImageUri: "i"}}
	for _, f := range change {
		f(m)
	}
	op, err := c.models.UploadModel(context.Background(), &pb.UploadModelRequest{Parent: parent, ParentModel: parentModel, ModelId: id, Model: m})
	if err != nil {
		return nil, err
	}
	return op.Wait(context.Background())
}

func (c *cloud) model(name string) (*pb.Model, error) {
	return c.models.GetModel(context.Background(), &pb.GetModelRequest{Name: name})
}

func TestModelVersions(t *testing.T) {
	c := boot(t, t.TempDir())
	first, err := c.upload("", "penguins", func(m *pb.Model) { m.Labels = map[string]string{"run-id": "1"} })
	if err != nil {
		t.Fatal(err)
	}
	name := "projects/" + number + "/locations/us-central1/models/penguins"
	if first.Model != name || first.ModelVersionId != "1" {
		t.Errorf("%v", first)
	}
	second, err := c.upload(name, "", func(m *pb.Model) { m.VersionAliases = []string{"champion"} })
	if err != nil || second.ModelVersionId != "2" {
		t.Fatal(second, err)
	}
	if _, err := c.upload("", "penguins"); status.Code(err) != codes.AlreadyExists {
		t.Errorf("the same id again: %v", err)
	}
	if _, err := c.upload(name, "", func(m *pb.Model) { m.VersionAliases = []string{"default"} }); err != nil {
		t.Fatal(err)
	}
	if _, err := c.models.MergeVersionAliases(context.Background(), &pb.MergeVersionAliasesRequest{Name: name + "@3", VersionAliases: []string{"champion", "-golden"}}); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		version string
		aliases []string
	}{
		{name, "3", []string{"default", "champion"}},
		{parent + "/models/penguins@1", "1", nil},
		{name + "@2", "2", nil},
		{name + "@champion", "3", []string{"default", "champion"}},
	}
	for _, tt := range tests {
		m, err := c.model(tt.name)
		if err != nil || m.VersionId != tt.version || !slices.Equal(m.VersionAliases, tt.aliases) || m.Name != name {
			t.Errorf("%s: %v, %v", tt.name, m, err)
		}
	}
	if m, _ := c.model(name); len(m.SupportedDeploymentResourcesTypes) == 0 || m.CreateTime == nil || m.VersionCreateTime == nil {
		t.Errorf("%v", m)
	}
	if _, err := c.model(name + "@9"); status.Code(err) != codes.NotFound {
		t.Error(err)
	}
	var versions []string
	for it := c.models.ListModelVersions(context.Background(), &pb.ListModelVersionsRequest{Name: name, PageSize: 2}); ; {
		m, err := it.Next()
		if err == iterator.Done {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		versions = append(versions, m.VersionId)
	}
	if !slices.Equal(versions, []string{"1", "2", "3"}) {
		t.Error(versions)
	}
}

func TestListAndDeleteModels(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	c := boot(t, dir)
	names := map[string]string{}
	for i := range 3 {
		r, err := c.upload("", "", func(m *pb.Model) {
			m.DisplayName = fmt.Sprint("m", i)
			m.Labels = map[string]string{"kakehi-pipeline": fmt.Sprint("p-", i%2)}
		})
		if err != nil {
			t.Fatal(err)
		}
		names[r.Model] = fmt.Sprint(i)
	}
	c.stop()
	c = boot(t, dir)
	tests := []struct{ filter, order, want string }{
		{"", "", "210"}, {"labels.kakehi-pipeline=p-0", "", "20"}, {`display_name="m1"`, "", "1"}, {"", "display_name", "012"},
	}
	for _, tt := range tests {
		var got strings.Builder
		for it := c.models.ListModels(ctx, &pb.ListModelsRequest{Parent: parent, Filter: tt.filter, OrderBy: tt.order}); ; {
			m, err := it.Next()
			if err == iterator.Done {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got.WriteString(names[m.Name])
		}
		if got.String() != tt.want {
			t.Errorf("%+v: %s", tt, got.String())
		}
	}
	for name := range names {
		op, err := c.models.DeleteModel(ctx, &pb.DeleteModelRequest{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		if err := op.Wait(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := c.model(name); status.Code(err) != codes.NotFound {
			t.Error(err)
		}
	}
}

func TestUploadModelRefuses(t *testing.T) {
	c := boot(t, t.TempDir())
	tests := []struct {
		parent, id string
		change     func(*pb.Model)
		code       codes.Code
		want       string
	}{
		{"", "", func(m *pb.Model) { m.DisplayName = "" }, codes.InvalidArgument, "model.display_name"},
		{"", "", func(m *pb.Model) { m.ArtifactUri = "/tmp/m" }, codes.InvalidArgument, "model.artifact_uri"},
		{"", "", func(m *pb.Model) { m.ContainerSpec.ImageUri = "" }, codes.InvalidArgument, "image_uri"},
		{"", "", func(m *pb.Model) { m.VersionAliases = []string{"2"} }, codes.InvalidArgument, "version_aliases"},
		{"", "9lives", func(*pb.Model) {}, codes.InvalidArgument, "model_id"},
		{parent + "/models/ghost", "", func(*pb.Model) {}, codes.NotFound, "ghost"},
		{"models/x", "", func(*pb.Model) {}, codes.InvalidArgument, "Invalid resource name"},
	}
	for _, tt := range tests {
		_, err := c.upload(tt.parent, tt.id, tt.change)
		if status.Code(err) != tt.code || !strings.Contains(fmt.Sprint(err), tt.want) {
			t.Errorf("%v, want %v with %q", err, tt.code, tt.want)
		}
	}
	_, err := c.models.UploadModel(as("user:nobody@x"), &pb.UploadModelRequest{Parent: parent, Model: &pb.Model{DisplayName: "x"}})
	if !denied(err, "aiplatform.models.upload") {
		t.Error(err)
	}
}
