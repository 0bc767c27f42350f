package gateway

import (
	"context"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/genproto/googleapis/cloud/location"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kakehi/kakehi/internal/emulator/iam"
	"github.com/kakehi/kakehi/internal/emulator/rest"
)

// locations is the google.cloud.location service that every API offers.
type locations struct {
	location.UnimplementedLocationsServer
	auth   *iam.Authority
	region string
}

func (g *Gateway) registerLocations() error {
	service := location.File_google_cloud_location_locations_proto.Services().ByName("Locations")
	g.GRPC().RegisterService(rest.Describe[location.LocationsServer](service), locations{auth: g.opts.Auth, region: g.opts.Region})
	for _, version := range []string{"/v1beta1/", "/v2/"} { // /v1/ is in the annotations
		err := g.table.Bind("google.cloud.location.Locations.ListLocations",
			&annotations.HttpRule{Pattern: &annotations.HttpRule_Get{Get: version + "{name=projects/*}/locations"}})
		if err != nil {
			return err
		}
		err = g.table.Bind("google.cloud.location.Locations.GetLocation",
			&annotations.HttpRule{Pattern: &annotations.HttpRule_Get{Get: version + "{name=projects/*/locations/*}"}})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s locations) ListLocations(ctx context.Context, r *location.ListLocationsRequest) (*location.ListLocationsResponse, error) {
	if err := s.auth.Require(ctx, "resourcemanager.projects.get", r.Name); err != nil {
		return nil, err
	}
	return &location.ListLocationsResponse{Locations: []*location.Location{s.location(r.Name + "/locations/" + s.region)}}, nil
}

func (s locations) GetLocation(ctx context.Context, r *location.GetLocationRequest) (*location.Location, error) {
	if err := s.auth.Require(ctx, "resourcemanager.projects.get", r.Name); err != nil {
		return nil, err
	}
	if !strings.HasSuffix(r.Name, "/locations/"+s.region) {
		return nil, status.Errorf(codes.NotFound, "Location %s is not found; this embedded cloud is in %s.", r.Name, s.region)
	}
	return s.location(r.Name), nil
}

func (s locations) location(name string) *location.Location {
	return &location.Location{
		Name:        name,
		LocationId:  s.region,
		DisplayName: s.region,
		Labels:      map[string]string{"cloud.googleapis.com/region": s.region},
	}
}
