package vertex

import (
	"context"
	"maps"
	"testing"

	pb "cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

func TestUpdateModel(t *testing.T) {
	c := boot(t, t.TempDir())
	if _, err := c.upload("", "penguins"); err != nil {
		t.Fatal(err)
	}
	name := parent + "/models/penguins"
	if _, err := c.upload(name, ""); err != nil {
		t.Fatal(err)
	}
	update := func(m *pb.Model, paths ...string) error {
		_, err := c.models.UpdateModel(context.Background(), &pb.UpdateModelRequest{Model: m, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}})
		return err
	}
	if err := update(&pb.Model{Name: name, DisplayName: "new", Description: "d", Labels: map[string]string{"a": "b"}}, "display_name", "labels"); err != nil {
		t.Fatal(err)
	}
	if err := update(&pb.Model{Name: name + "@2", VersionDescription: "second"}, "version_description", "labels"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []*pb.Model{
		{Name: name + "@1", DisplayName: "new", Labels: map[string]string{"a": "b"}},
		{Name: name + "@2", DisplayName: "new", VersionDescription: "second"},
	} {
		m, err := c.model(want.Name)
		if err != nil || m.DisplayName != want.DisplayName || m.Description != "" || m.VersionDescription != want.VersionDescription || !maps.Equal(m.Labels, want.Labels) {
			t.Errorf("%s: %v, %v", want.Name, m, err)
		}
	}
	for _, tt := range []struct {
		what string
		err  error
		code codes.Code
	}{
		{"no mask", update(&pb.Model{Name: name}), codes.InvalidArgument},
		{"no display name", update(&pb.Model{Name: name}, "display_name"), codes.InvalidArgument},
		{"a field of the server", update(&pb.Model{Name: name}, "create_time"), codes.InvalidArgument},
		{"a field of the model, of a version", update(&pb.Model{Name: name + "@1", DisplayName: "x"}, "display_name"), codes.InvalidArgument},
		{"a bad label", update(&pb.Model{Name: name, Labels: map[string]string{"A": ""}}, "labels"), codes.InvalidArgument},
		{"no such version", update(&pb.Model{Name: name + "@7"}, "labels"), codes.NotFound},
		{"no such model", update(&pb.Model{Name: parent + "/models/x"}, "labels"), codes.NotFound},
	} {
		if status.Code(tt.err) != tt.code {
			t.Errorf("%s: %v, want %v", tt.what, tt.err, tt.code)
		}
	}
	_, err := c.models.UpdateModel(as("serviceAccount:"+trainer), &pb.UpdateModelRequest{Model: &pb.Model{Name: name}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"labels"}}})
	if status.Code(err) != codes.PermissionDenied {
		t.Errorf("a caller without a role: %v", err)
	}
}

func TestDeleteModelVersion(t *testing.T) {
	c := boot(t, t.TempDir())
	for _, parentModel := range []string{"", parent + "/models/penguins"} {
		id := ""
		if parentModel == "" {
			id = "penguins"
		}
		if _, err := c.upload(parentModel, id); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(version string) error {
		op, err := c.models.DeleteModelVersion(context.Background(), &pb.DeleteModelVersionRequest{Name: parent + "/models/penguins@" + version})
		if err != nil {
			return err
		}
		return op.Wait(context.Background())
	}
	if err := remove("1"); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("the default version: %v", err)
	}
	if err := remove("2"); err != nil {
		t.Error(err)
	}
	if err := remove("2"); status.Code(err) != codes.NotFound {
		t.Errorf("a version that is gone: %v", err)
	}
	if m, err := c.model(parent + "/models/penguins"); err != nil || m.VersionId != "1" {
		t.Errorf("%v, %v", m, err)
	}
}
