package run

import (
	"strings"

	"cloud.google.com/go/run/apiv2/runpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// mutable are the fields of a Service that a caller sets; the others are
// output only.
var mutable = []string{
	"description", "labels", "annotations", "client", "client_version", "ingress", "launch_stage",
	"binary_authorization", "template", "traffic", "scaling", "invoker_iam_disabled", "default_uri_disabled",
	"iap_enabled", "multi_region_settings", "custom_audiences", "build_config",
}

// merge returns old with the masked fields of change; without a mask, with all
// that a caller can set. Output-only fields in a mask are ignored.
func merge(old, change *runpb.Service, mask *fieldmaskpb.FieldMask) (*runpb.Service, error) {
	return mergeFields(old, change, mask, mutable)
}

func mergeFields[M proto.Message](old, change M, mask *fieldmaskpb.FieldMask, mutable []string) (none M, err error) {
	next := proto.CloneOf(old)
	paths := mask.GetPaths()
	if len(paths) == 0 || len(paths) == 1 && paths[0] == "*" {
		paths = mutable
	}
	change = proto.CloneOf(change)
	for _, path := range paths {
		if err := copyPath(next.ProtoReflect(), change.ProtoReflect(), path); err != nil {
			return none, err
		}
	}
	kept := proto.CloneOf(old)
	for _, name := range mutable {
		if err := copyPath(kept.ProtoReflect(), next.ProtoReflect(), name); err != nil {
			return none, err
		}
	}
	return kept, nil
}

// copyPath copies one field, such as template.containers, and clears it where
// it is unset in src.
func copyPath(dst, src protoreflect.Message, path string) error {
	names := strings.Split(path, ".")
	of := dst.Descriptor().FullName()
	for i, name := range names {
		f := fieldByName(dst.Descriptor(), name)
		if f == nil {
			return status.Errorf(codes.InvalidArgument, "Invalid update_mask: %q is not a field of %s.", path, of)
		}
		if i == len(names)-1 {
			if src.Has(f) {
				dst.Set(f, src.Get(f))
			} else {
				dst.Clear(f)
			}
			return nil
		}
		if f.Message() == nil || f.IsList() || f.IsMap() {
			return status.Errorf(codes.InvalidArgument, "Invalid update_mask: %q: %s has no fields that can be updated alone.", path, strings.Join(names[:i+1], "."))
		}
		if !dst.Has(f) && !src.Has(f) {
			return nil
		}
		dst, src = dst.Mutable(f).Message(), src.Get(f).Message()
	}
	return nil
}

// fieldByName finds a field by its proto name or, as REST clients send, its
// JSON name.
func fieldByName(d protoreflect.MessageDescriptor, name string) protoreflect.FieldDescriptor {
	if f := d.Fields().ByTextName(name); f != nil {
		return f
	}
	return d.Fields().ByJSONName(name)
}
