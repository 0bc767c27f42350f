package stdlib_test

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/stdlib"
)

// TestConnectors checks the requests of connectors and how they wait.
func TestConnectors(t *testing.T) {
	const env = "projects/p/locations/l"
	for _, c := range []struct {
		name, call string
		answers    []string // status and body in turn; the last one stays
		want       string
		requests   []string
		took       time.Duration
	}{
		{
			name: "plain get", call: `googleapis.run.v2.projects.locations.services.get, args: {name: projects/p/locations/l/services/s}`,
			answers:  []string{`200 {"name":"s"}`},
			want:     `{"name":"s"}`,
			requests: []string{`GET https://run.googleapis.com/v2/projects/p/locations/l/services/s Authorization=Bearer access:cloud-platform`},
		},
		{
			name: "query and scopes", call: `googleapis.storage.v1.objects.list, args: {bucket: b, prefix: a/, connector_params: {scopes: s}}`,
			answers:  []string{`200 {"items":[]}`},
			want:     `{"items":[]}`,
			requests: []string{`GET https://storage.googleapis.com/storage/v1/b/b/o?prefix=a%2F Authorization=Bearer access:s`},
		},
		{
			name: "object names are encoded already", call: `googleapis.storage.v1.objects.get, args: {bucket: b, object: 'a%2Fb', alt: media}`,
			answers:  []string{`200 {"x":1}`},
			want:     `{"x":1}`,
			requests: []string{`GET https://storage.googleapis.com/storage/v1/b/b/o/a%2Fb?alt=media Authorization=Bearer access:cloud-platform`},
		},
		{
			name: "upload", call: `googleapis.storage.v1.objects.insert, args: {bucket: b, uploadType: media, name: n, body: hello}`,
			answers:  []string{`200 {"name":"n"}`},
			want:     `{"name":"n"}`,
			requests: []string{`POST https://storage.googleapis.com/upload/storage/v1/b/b/o?uploadType=media&name=n Authorization=Bearer access:cloud-platform Content-Type=text/plain; charset=utf-8 hello`},
		},
		{
			name: "retries of a get", call: `googleapis.pubsub.v1.projects.topics.get, args: {topic: projects/p/topics/t}`,
			answers:  []string{`503 {}`, `502 {}`, `200 {"name":"t"}`},
			want:     `{"name":"t"}`,
			requests: []string{"GET", "GET", "GET"},
			took:     2250 * time.Millisecond,
		},
		{
			name: "a post is not repeated on 502", call: `googleapis.pubsub.v1.projects.topics.publish, args: {topic: projects/p/topics/t, body: {messages: [{data: aGk=}]}}`,
			answers:  []string{`502 {}`},
			want:     `! HttpError`,
			requests: []string{`POST https://pubsub.googleapis.com/v1/projects/p/topics/t:publish Authorization=Bearer access:cloud-platform Content-Type=application/json; charset=utf-8 {"messages":[{"data":"aGk="}]}`},
		},
		{
			name: "a job", call: `googleapis.aiplatform.v1.projects.locations.customJobs.create, args: {parent: projects/p/locations/l, region: l, body: {displayName: j}}`,
			answers: []string{`200 {"name":"projects/1/locations/l/customJobs/7","state":"JOB_STATE_QUEUED"}`, `200 {"name":"projects/1/locations/l/customJobs/7","state":"JOB_STATE_RUNNING"}`, `200 {"state":"JOB_STATE_SUCCEEDED"}`},
			want:    `{"state":"JOB_STATE_SUCCEEDED"}`,
			requests: []string{
				`POST https://l-aiplatform.googleapis.com/v1/projects/p/locations/l/customJobs Authorization=Bearer access:cloud-platform Content-Type=application/json; charset=utf-8 {"displayName":"j"}`,
				`GET https://l-aiplatform.googleapis.com/v1/projects/1/locations/l/customJobs/7 Authorization=Bearer access:cloud-platform`,
				"GET",
			},
			took: 2250 * time.Millisecond,
		},
		{
			name: "a job that fails", call: `googleapis.aiplatform.v1.projects.locations.customJobs.create, args: {parent: projects/p/locations/l, region: l, body: {}}`,
			answers:  []string{`200 {"name":"x","state":"JOB_STATE_FAILED","error":{"code":3}}`},
			want:     `! OperationError`,
			requests: []string{"POST"},
		},
		{
			name: "without polling", call: `googleapis.aiplatform.v1.projects.locations.customJobs.create, args: {parent: projects/p/locations/l, region: l, body: {}, connector_params: {skip_polling: true}}`,
			answers:  []string{`200 {"name":"x","state":"JOB_STATE_QUEUED"}`},
			want:     `{"name":"x","state":"JOB_STATE_QUEUED"}`,
			requests: []string{"POST"},
		},
		{
			name: "timeout", call: `googleapis.aiplatform.v1.projects.locations.customJobs.create, args: {parent: projects/p/locations/l, region: l, body: {}, connector_params: {timeout: 7, polling_policy: {initial_delay: 5, multiplier: 1, max_delay: 5}}}`,
			answers:  []string{`200 {"name":"x","state":"JOB_STATE_RUNNING"}`},
			want:     `! TimeoutError`,
			requests: []string{"POST", "GET"},
			took:     7 * time.Second,
		},
		{
			name: "an operation", call: `googleapis.run.v2.projects.locations.services.patch, args: {name: ` + env + `/services/s, updateMask: {fieldPaths: [template, traffic]}, body: {etag: e}}`,
			answers: []string{`200 {"name":"` + env + `/operations/o","done":false}`, `200 {"done":true,"response":{"uri":"u"}}`},
			want:    `{"done":true,"response":{"uri":"u"}}`,
			requests: []string{
				`PATCH https://run.googleapis.com/v2/` + env + `/services/s?updateMask=template%2Ctraffic Authorization=Bearer access:cloud-platform Content-Type=application/json; charset=utf-8 {"etag":"e"}`,
				`GET https://run.googleapis.com/v2/` + env + `/operations/o Authorization=Bearer access:cloud-platform`,
			},
			took: time.Second,
		},
		{
			name: "an operation that fails", call: `googleapis.run.v2.projects.locations.services.create, args: {parent: ` + env + `, serviceId: s, body: {}}`,
			answers:  []string{`200 {"name":"o","done":true,"error":{"code":9,"message":"no"}}`},
			want:     `! OperationError`,
			requests: []string{`POST https://run.googleapis.com/v2/` + env + `/services?serviceId=s Authorization=Bearer access:cloud-platform Content-Type=application/json; charset=utf-8 {}`},
		},
		{
			name: "no operation", call: `googleapis.run.v2.projects.locations.services.delete, args: {name: ` + env + `/services/s}`,
			answers: []string{`200 null`}, want: `! ResponseTypeError`, requests: []string{"DELETE"},
		},
		{
			name: "a child workflow", call: `googleapis.workflowexecutions.v1.projects.locations.workflows.executions.run, args: {workflow_id: w, argument: {n: 1}}`,
			answers: []string{`200 {"name":"e","state":"ACTIVE"}`, `200 {"name":"e","state":"SUCCEEDED","result":"{\"a\":[1]}"}`},
			want:    `{"a":[1]}`,
			requests: []string{
				`POST https://workflowexecutions.googleapis.com/v1/` + env + `/workflows/w/executions Authorization=Bearer access:cloud-platform Content-Type=application/json; charset=utf-8 {"argument":"{\"n\":1}","disableConcurrencyQuotaOverflowBuffering":true}`,
				`GET https://workflowexecutions.googleapis.com/v1/e Authorization=Bearer access:cloud-platform`,
			},
			took: time.Second,
		},
		{
			name: "a child that fails", call: `googleapis.workflowexecutions.v1.projects.locations.workflows.executions.run, args: {workflow_id: w, location: x, project_id: y}`,
			answers:  []string{`200 {"name":"e","state":"FAILED","error":{"payload":"\"x\""}}`},
			want:     `! OperationError`,
			requests: []string{`POST https://workflowexecutions.googleapis.com/v1/projects/y/locations/x/workflows/w/executions Authorization=Bearer access:cloud-platform Content-Type=application/json; charset=utf-8 {"disableConcurrencyQuotaOverflowBuffering":true}`},
		},
		{
			name: "children of a map", call: `experimental.executions.map, args: {workflow_id: w, arguments: [1, 2]}`,
			answers:  []string{`200 {"name":"e1","state":"ACTIVE"}`, `200 {"name":"e2","state":"ACTIVE"}`, `200 {"state":"SUCCEEDED","result":"10"}`, `200 {"state":"SUCCEEDED","result":"20"}`},
			want:     `[10,20]`,
			requests: []string{"POST", "POST", `GET https://workflowexecutions.googleapis.com/v1/e1 Authorization=Bearer access:cloud-platform`, `GET https://workflowexecutions.googleapis.com/v1/e2 Authorization=Bearer access:cloud-platform`},
			took:     2 * time.Second,
		},
		{
			name: "an experimental child that fails", call: `experimental.executions.run, args: {workflow_id: w}`,
			answers: []string{`200 {"name":"e","state":"CANCELLED"}`}, want: `! ExecutionError`, requests: []string{"POST"},
		},
		{
			name: "a secret", call: `googleapis.secretmanager.v1.projects.secrets.versions.accessString, args: {secret_id: s}`,
			answers:  []string{`200 {"payload":{"data":"aGk="}}`},
			want:     `"hi"`,
			requests: []string{`GET https://secretmanager.googleapis.com/v1/projects/p/secrets/s/versions/latest:access Authorization=Bearer access:cloud-platform`},
		},
		{
			name: "not emulated", call: `googleapis.bigquery.v2.jobs.query, args: {projectId: p}`,
			answers: []string{`501 {"error":{"code":501,"details":[{"reason":"NOT_EMULATED"}]}}`}, want: `! HttpError`, requests: []string{"POST"},
		},
		{name: "no such connector", call: `googleapis.bigquery.v2.jobs.no, args: {projectId: p}`, want: `! ValueError`},
		{name: "no Kubernetes", call: `gke.request, args: {cluster_id: c, path: /api}`, want: `! HttpError`},
		{name: "missing argument", call: `googleapis.pubsub.v1.projects.topics.get, args: {}`, want: `! TypeError`},
		{name: "odd name", call: `googleapis.pubsub.v1.projects.topics.get, args: {topic: '../secrets'}`, want: `! ValueError`},
		{name: "long timeout", call: `googleapis.pubsub.v1.projects.topics.get, args: {topic: t, connector_params: {timeout: 1801}}`, want: `! ValueError`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, cfg := outside(c.answers...)
			clock := interp.NewVirtualClock(time.Unix(1e9, 0))
			cfg.Clock = clock
			o := run(t, "[{s: {call: "+c.call+", result: r}}, {r: {return: '${r}'}}]", cfg)
			if got := show(o); got != c.want {
				t.Errorf("got %s, want %s (%v)", got, c.want, o.Err)
			}
			for i, want := range c.requests {
				if !strings.Contains(want, " ") && i < len(s.seen) { // only the method
					s.seen[i], _, _ = strings.Cut(s.seen[i], " ")
				}
			}
			if d := cmp.Diff(c.requests, s.seen); d != "" {
				t.Errorf("requests (-want +got):\n%s", d)
			}
			if took := clock.Now().Sub(time.Unix(1e9, 0)); took != c.took {
				t.Errorf("took %v, want %v", took, c.took)
			}
		})
	}
}

// TestSecretInExpression: the reference samples call this one in expressions.
func TestSecretInExpression(t *testing.T) {
	s := &server{answer: func(*http.Request, string) (*http.Response, error) {
		return respond(200, "application/json", `{"payload":{"data":"aGk="}}`)
	}}
	o := run(t, `[{r: {return: '${"<" + googleapis.secretmanager.v1.projects.secrets.versions.accessString("s", "3", "p") + ">"}'}}]`,
		interp.Config{HTTP: s, Tokens: tokens{}})
	if got := show(o); got != `"<hi>"` {
		t.Errorf("got %s", got)
	}
}

// outside is what a definition with connectors sees: an API that answers in
// turn, the last answer again and again.
func outside(answers ...string) (*server, interp.Config) {
	s := &server{answer: func(*http.Request, string) (*http.Response, error) {
		var status int
		code, body, _ := strings.Cut(answers[0], " ")
		fmt.Sscan(code, &status)
		if len(answers) > 1 {
			answers = answers[1:]
		}
		return respond(status, "application/json", body)
	}}
	return s, interp.Config{HTTP: s, Tokens: tokens{}, Env: map[string]string{"GOOGLE_CLOUD_PROJECT_ID": "p", "GOOGLE_CLOUD_LOCATION": "l"}}
}

// TestConnectorRequests checks the requests of methods that are odd in some
// way.
func TestConnectorRequests(t *testing.T) {
	for _, c := range []struct{ call, want string }{
		// Hosts.
		{`aiplatform.v1.projects.locations.models.list, args: {parent: projects/p/locations/europe-west4, region: europe-west4}`, `GET https://europe-west4-aiplatform.googleapis.com/v1/projects/p/locations/europe-west4/models`},
		{`aiplatform.v1.projects.locations.models.list, args: {parent: projects/p/locations/l}`, `! TypeError`},
		{`aiplatform.v1.projects.locations.models.list, args: {parent: projects/p/locations/l, region: evil.example/}`, `! ValueError`},
		{`run.v1.namespaces.jobs.get, args: {name: namespaces/p/jobs/j, location: us-central1}`, `GET https://us-central1-run.googleapis.com/apis/run.googleapis.com/v1/namespaces/p/jobs/j`},
		{`run.v1.projects.locations.list, args: {name: projects/p}`, `GET https://run.googleapis.com/v1/projects/p/locations`},
		{`run.v2.projects.locations.jobs.get, args: {name: projects/p/locations/l/jobs/j}`, `GET https://run.googleapis.com/v2/projects/p/locations/l/jobs/j`},
		{`documentai.v1.projects.locations.processors.get, args: {name: projects/p/locations/us/processors/x}`, `GET https://us-documentai.googleapis.com/v1/projects/p/locations/us/processors/x`},
		{`documentai.v1.projects.locations.processors.get, args: {name: projects/p/locations/eu/processors/x, location: eu}`, `GET https://eu-documentai.googleapis.com/v1/projects/p/locations/eu/processors/x`},
		// Paths.
		{`compute.beta.instances.list, args: {project: p, zone: z, maxResults: 5, returnPartialSuccess: true}`, `GET https://compute.googleapis.com/compute/beta/projects/p/zones/z/instances?maxResults=5&returnPartialSuccess=true`},
		{`container.v1.projects.zones.clusters.get, args: {projectId: p, zone: z, clusterId: c}`, `GET https://container.googleapis.com/v1/projects/p/zones/z/clusters/c`},
		{`cloudbuild.v1.projects.builds.list, args: {projectId: p, parent: projects/p/locations/global}`, `GET https://cloudbuild.googleapis.com/v1/projects/p/builds?parent=projects%2Fp%2Flocations%2Fglobal`},
		{`firestore.v1.projects.databases.documents.get, args: {name: 'projects/p/databases/(default)/documents/c/d', mask: {fieldPaths: [a, b.c]}, transaction: null}`, `GET https://firestore.googleapis.com/v1/projects/p/databases/(default)/documents/c/d?mask.fieldPaths=a&mask.fieldPaths=b.c`},
		{`firestore.v1.projects.databases.documents.patch, args: {name: 'projects/p/databases/(default)/documents/c/d', updateMask: {fieldPaths: [a]}, currentDocument: {exists: true}, body: {fields: {}}}`, `PATCH https://firestore.googleapis.com/v1/projects/p/databases/(default)/documents/c/d?updateMask.fieldPaths=a&currentDocument.exists=true {"fields":{}}`},
		{`pubsub.v1.projects.topics.getIamPolicy, args: {resource: projects/p/topics/t, options: {requestedPolicyVersion: 3}}`, `GET https://pubsub.googleapis.com/v1/projects/p/topics/t:getIamPolicy?options.requestedPolicyVersion=3`},
		{`pubsub.v1.projects.topics.create, args: {name: projects/p/topics/t}`, `PUT https://pubsub.googleapis.com/v1/projects/p/topics/t`},
		{`workflows.v1.projects.locations.workflows.patch, args: {name: projects/p/locations/l/workflows/w, updateMask: [description, labels], body: {}, connector_params: {skip_polling: true}}`, `PATCH https://workflows.googleapis.com/v1/projects/p/locations/l/workflows/w?updateMask=description%2Clabels {}`},
		{`sheets.v4.spreadsheets.values.update, args: {spreadsheetId: s, range: "My sheet!A1:B2", valueInputOption: RAW, includeValuesInResponse: null, body: {values: [[1]]}, connector_params: {scopes: [a]}}`, `PUT https://sheets.googleapis.com/v4/spreadsheets/s/values/My%20sheet!A1:B2?valueInputOption=RAW {"values":[[1]]}`},
		{`sheets.v4.spreadsheets.get, args: {spreadsheetId: s, ranges: [A1, B1], includeGridData: "true"}`, `GET https://sheets.googleapis.com/v4/spreadsheets/s?ranges=A1&ranges=B1&includeGridData=true`},
		{`translate.v2.translations.translate, args: {q: [one, two], target: fr}`, `POST https://translation.googleapis.com/language/translate/v2?q=one&q=two&target=fr`},
		{`translate.v2.translations.translate, args: {query: {q: one, target: fr}}`, `POST https://translation.googleapis.com/language/translate/v2?q=one&target=fr`},
		{`cloudtasks.v2.projects.locations.queues.tasks.create, args: {parent: projects/p/locations/l/queues/q, body: {task: {}}}`, `POST https://cloudtasks.googleapis.com/v2/projects/p/locations/l/queues/q/tasks {"task":{}}`},
		{`bigquery.v2.jobs.getQueryResults, args: {projectId: p, jobId: j, startIndex: "7", fields: rows, later: [x, y]}`, `GET https://bigquery.googleapis.com/bigquery/v2/projects/p/queries/j?startIndex=7&fields=rows&later=x&later=y`},
		{`secretmanager.v1.projects.secrets.addVersionString, args: {secret_id: s, data: hi}`, `POST https://secretmanager.googleapis.com/v1/projects/p/secrets/s:addVersion {"payload":{"data":"aGk="}}`},
		{`workflowexecutions.v1.projects.locations.workflows.executions.create, args: {parent: projects/p/locations/l/workflows/w, body: {argument: "1"}}`, `POST https://workflowexecutions.googleapis.com/v1/projects/p/locations/l/workflows/w/executions {"argument":"1","disableConcurrencyQuotaOverflowBuffering":true}`},
		{`workflowexecutions.v1.projects.locations.workflows.executions.create, args: {parent: projects/p/locations/l/workflows/w}`, `POST https://workflowexecutions.googleapis.com/v1/projects/p/locations/l/workflows/w/executions {"disableConcurrencyQuotaOverflowBuffering":true}`},
		{`workflowexecutions.v1.projects.locations.workflows.executions.create, args: {parent: projects/p/locations/l/workflows/w, body: {disableConcurrencyQuotaOverflowBuffering: false}}`, `POST https://workflowexecutions.googleapis.com/v1/projects/p/locations/l/workflows/w/executions {"disableConcurrencyQuotaOverflowBuffering":false}`},
		// Storage.
		{`storage.v1.buckets.insert, args: {project: p, body: {name: b}}`, `POST https://storage.googleapis.com/storage/v1/b?project=p {"name":"b"}`},
		{`storage.v1.buckets.insert, args: {body: {name: b}}`, `! TypeError`},
		{`storage.v1.objects.insert, args: {bucket: b, name: "a b/c", body: {temporaryHold: true}}`, `POST https://storage.googleapis.com/storage/v1/b/b/o?name=a+b%2Fc {"temporaryHold":true}`},
		{`storage.v1.objects.insert, args: {bucket: b, name: n, uploadType: media, body: {x: 1}}`, `POST https://storage.googleapis.com/upload/storage/v1/b/b/o?name=n&uploadType=media {"x":1}`},
		{`storage.v1.objects.insert, args: {bucket: b, name: n, uploadType: media, body: '${text.encode("raw")}'}`, `POST https://storage.googleapis.com/upload/storage/v1/b/b/o?name=n&uploadType=media raw`},
		{`storage.v1.objects.insert, args: {bucket: b, name: n, uploadType: multipart, body: x}`, `! ValueError`},
		{`storage.v1.objects.delete, args: {bucket: b, object: 'v1..2 é.txt'}`, `DELETE https://storage.googleapis.com/storage/v1/b/b/o/v1..2%20%C3%A9.txt`},
		{`storage.v1.objects.delete, args: {bucket: b, object: a/../../c}`, `! ValueError`},
		{`storage.v1.objects.rewrite, args: {sourceBucket: a, sourceObject: '${text.url_encode("x/y?")}', destinationBucket: b, destinationObject: z}`, `POST https://storage.googleapis.com/storage/v1/b/a/o/x%2Fy%3F/rewriteTo/b/b/o/z`},
		// Mistakes.
		{`storage.v1.objects.list, args: {bucket: b, maxResults: many}`, `! TypeError`},
		{`storage.v1.objects.list, args: {bucket: b, versions: maybe}`, `! TypeError`},
		{`storage.v1.objects.list, args: {bucket: b, prefix: [a]}`, `! TypeError`},
		{`storage.v1.objects.list, args: {bucket: [b]}`, `! TypeError`},
		{`storage.v1.objects.list, args: {bucket: b, body: {a: 1}}`, `! TypeError`},
		{`storage.v1.objects.list, args: [b]`, `! TypeError`},
	} {
		s, cfg := outside("200 {}")
		o := run(t, "[{s: {call: googleapis."+c.call+", result: r}}]", cfg)
		got := strings.Join(s.seen, "; ")
		for _, header := range []string{"Authorization=Bearer access:cloud-platform", "Authorization=Bearer access:a", "Content-Type=application/json; charset=utf-8", "Content-Type=application/octet-stream"} {
			got = strings.Replace(got, " "+header, "", 1)
		}
		if got == "" {
			got = show(o)
		}
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.call, got, c.want)
		}
	}
}

// TestConnectorWaits checks, for each kind of waiting, where a resource is
// looked up and what comes of it.
func TestConnectorWaits(t *testing.T) {
	const cluster = `https://container.googleapis.com/v1/projects/1/zones/z/operations/o`
	for _, c := range []struct {
		call    string
		answers []string
		poll    string // "" for none
		want    string
	}{
		{`translate.v3.projects.locations.glossaries.create, args: {parent: projects/p/locations/l, body: {}}`, []string{`200 {"name":"projects/1/locations/l/operations/o"}`, `200 {"done":true,"name":"n"}`}, `https://translation.googleapis.com/v3/projects/1/locations/l/operations/o`, `{"done":true,"name":"n"}`},
		{`cloudbuild.v1.projects.builds.create, args: {projectId: p, body: {}}`, []string{`200 {"name":"operations/build/p/x"}`, `200 {"done":true,"metadata":{"build":{}}}`}, `https://cloudbuild.googleapis.com/v1/operations/build/p/x`, `{"done":true,"metadata":{"build":{}}}`},
		{`storage.v1.objects.bulkRestore, args: {bucket: b, body: {}}`, []string{`200 {"selfLink":"https://storage.googleapis.com/storage/v1/b/b/operations/o"}`, `200 {"done":true}`}, `https://storage.googleapis.com/storage/v1/b/b/operations/o`, `{"done":true}`},
		{`storage.v1.objects.bulkRestore, args: {bucket: b, body: {}}`, []string{`200 {"done":false}`}, "", `! ResponseTypeError`},
		{`compute.v1.instances.insert, args: {project: p, zone: z, body: {}}`, []string{`200 {"status":"RUNNING","selfLink":"https://www.googleapis.com/compute/v1/projects/p/zones/z/operations/o"}`, `200 {"status":"DONE"}`}, `https://www.googleapis.com/compute/v1/projects/p/zones/z/operations/o`, `{"status":"DONE"}`},
		{`compute.v1.instances.insert, args: {project: p, zone: z, body: {}}`, []string{`200 {"status":"RUNNING","selfLink":"https://evil.example/o"}`}, "", `! ResponseTypeError`},
		{`container.v1.projects.zones.clusters.create, args: {projectId: p, zone: z, body: {}}`, []string{`200 {"status":"PENDING","selfLink":"` + cluster + `"}`, `200 {"status":"DONE","error":{"message":"no"}}`}, cluster, `! OperationError`},
		{`sqladmin.v1beta4.databases.delete, args: {project: p, instance: i, database: d}`, []string{`200 {"status":"DONE","error":null}`}, "", `{"status":"DONE","error":null}`},
		{`bigquery.v2.jobs.insert, args: {projectId: p, body: {}}`, []string{`200 {"jobReference":{"projectId":"p","jobId":"j","location":"EU"},"status":{"state":"RUNNING"}}`, `200 {"status":{"state":"DONE"}}`}, `https://bigquery.googleapis.com/bigquery/v2/projects/p/jobs/j?location=EU`, `{"status":{"state":"DONE"}}`},
		{`bigquery.v2.jobs.insert, args: {projectId: p, body: {}}`, []string{`200 {"status":{"state":"DONE","errorResult":{"message":"no"}}}`}, "", `! OperationError`},
		{`bigquery.v2.jobs.query, args: {projectId: p, body: {}}`, []string{`200 {"jobComplete":false}`}, "", `{"jobComplete":false}`},
		{`batch.v1.projects.locations.jobs.create, args: {parent: projects/p/locations/l, jobId: j, body: {}}`, []string{`200 {"name":"projects/p/locations/l/jobs/j","status":{"state":"QUEUED"}}`, `200 {"status":{"state":"SUCCEEDED"}}`}, `https://batch.googleapis.com/v1/projects/p/locations/l/jobs/j`, `{"status":{"state":"SUCCEEDED"}}`},
		{`batch.v1.projects.locations.jobs.create, args: {parent: projects/p/locations/l, body: {}}`, []string{`200 {"name":"j","status":{"state":"FAILED"}}`}, "", `! OperationError`},
		{`ml.v1.projects.jobs.create, args: {parent: projects/p, body: {}}`, []string{`200 {"jobId":"j","state":"PREPARING"}`, `200 {"state":"SUCCEEDED"}`}, `https://ml.googleapis.com/v1/projects/p/jobs/j`, `{"state":"SUCCEEDED"}`},
		{`transcoder.v1.projects.locations.jobs.create, args: {parent: projects/p/locations/l, body: {}}`, []string{`200 {"name":"projects/1/locations/l/jobs/j"}`, `200 {"state":"SUCCEEDED"}`}, `https://transcoder.googleapis.com/v1/projects/1/locations/l/jobs/j`, `{"state":"SUCCEEDED"}`},
		{`documentai.v1.projects.locations.processors.create, args: {parent: projects/p/locations/eu, location: eu, body: {}}`, []string{`200 {"name":"projects/1/locations/eu/processors/x","state":"CREATING"}`, `200 {"state":"ENABLED"}`}, `https://eu-documentai.googleapis.com/v1/projects/1/locations/eu/processors/x`, `{"state":"ENABLED"}`},
		{`dataflow.v1b3.projects.locations.templates.create, args: {projectId: p, location: l, body: {}}`, []string{`200 {"id":"j","projectId":"p","location":"l","currentState":"JOB_STATE_PENDING"}`, `200 {"currentState":"JOB_STATE_DONE"}`}, `https://dataflow.googleapis.com/v1b3/projects/p/locations/l/jobs/j`, `{"currentState":"JOB_STATE_DONE"}`},
		{`dataflow.v1b3.projects.locations.flexTemplates.launch, args: {projectId: p, location: l, body: {}}`, []string{`200 {"job":{"id":"j","projectId":"p","location":"l"}}`, `200 {"currentState":"JOB_STATE_DONE"}`}, `https://dataflow.googleapis.com/v1b3/projects/p/locations/l/jobs/j`, `{"job":{"currentState":"JOB_STATE_DONE"}}`},
		{`bigquerydatatransfer.v1.projects.locations.transferConfigs.startManualRuns, args: {parent: projects/p/locations/l/transferConfigs/c, body: {}}`, []string{`200 {"runs":[{"name":"projects/1/r"}]}`, `200 {"state":"SUCCEEDED"}`}, `https://bigquerydatatransfer.googleapis.com/v1/projects/1/r`, `{"runs":[{"state":"SUCCEEDED"}]}`},
		{`aiplatform.v1.projects.locations.pipelineJobs.create, args: {parent: projects/p/locations/l, region: l, body: {}}`, []string{`200 {"name":"projects/1/locations/l/pipelineJobs/j","state":"PIPELINE_STATE_PENDING"}`, `200 {"state":"PIPELINE_STATE_FAILED","error":{"message":"no"}}`}, `https://l-aiplatform.googleapis.com/v1/projects/1/locations/l/pipelineJobs/j`, `! OperationError`},
		{`aiplatform.v1.projects.locations.schedules.create, args: {parent: projects/p/locations/l, region: l, body: {}}`, []string{`200 {"state":"ACTIVE"}`}, "", `{"state":"ACTIVE"}`},
		{`run.v1.namespaces.jobs.create, args: {parent: namespaces/p, location: l, body: {}}`, []string{`200 {"kind":"Job","metadata":{"name":"j"}}`, `200 {"kind":"Job","status":{"conditions":[{"type":"Ready","status":"True"}]}}`}, `https://l-run.googleapis.com/apis/run.googleapis.com/v1/namespaces/p/jobs/j`, `{"kind":"Job","status":{"conditions":[{"type":"Ready","status":"True"}]}}`},
		{`run.v1.namespaces.services.replaceService, args: {name: namespaces/p/services/s, location: l, body: {}}`, []string{`200 {"kind":"Service","metadata":{"name":"s"},"status":{"conditions":[{"type":"Ready","status":"Unknown"}]}}`, `200 {"status":{"conditions":[{"type":"Ready","status":"False","message":"no image"}]}}`}, `https://l-run.googleapis.com/apis/serving.knative.dev/v1/namespaces/p/services/s`, `! OperationError`},
		{`run.v1.namespaces.jobs.run, args: {name: namespaces/p/jobs/j, location: l}`, []string{`200 {"kind":"Execution","metadata":{"name":"j-x1"}}`, `200 {"kind":"Execution","status":{"conditions":[{"type":"Completed","status":"True"}]}}`}, `https://l-run.googleapis.com/apis/run.googleapis.com/v1/namespaces/p/executions/j-x1`, `{"kind":"Execution","status":{"conditions":[{"type":"Completed","status":"True"}]}}`},
	} {
		s, cfg := outside(c.answers...)
		o := run(t, "[{s: {call: googleapis."+c.call+", result: r}}, {r: {return: '${r}'}}]", cfg)
		if got := show(o); got != c.want {
			t.Errorf("%s: got %s, want %s (%v)", c.call, got, c.want, o.Err)
		}
		poll := ""
		if len(s.seen) > 1 {
			poll = strings.Split(s.seen[1], " ")[1]
		}
		if poll != c.poll || len(s.seen) > 2 {
			t.Errorf("%s: requests %q, want a poll of %s", c.call, s.seen, c.poll)
		}
	}
}

// TestFailedOperation checks what an error of a connector that waited holds.
func TestFailedOperation(t *testing.T) {
	_, cfg := outside(`200 {"name":"o","done":true,"error":{"code":9,"message":"no such image"}}`)
	o := run(t, `
- s:
    try: {call: googleapis.run.v2.projects.locations.services.create, args: {parent: projects/p/locations/l, serviceId: s, body: {}}}
    except: {as: e, steps: [{r: {return: '${[e.message, e.tags, e.error.code, e.operation.name]}'}}]}
`, cfg)
	if got, want := show(o), `["the operation failed: no such image",["OperationError"],9,"o"]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestConnectorSignatures checks what deploy-time checks learn.
func TestConnectorSignatures(t *testing.T) {
	for _, c := range []struct{ name, required, more string }{
		{"aiplatform.v1.projects.locations.customJobs.create", "parent region", "body connector_params"},
		{"run.v1.namespaces.jobs.run", "name location", "body connector_params"},
		{"run.v1.namespaces.jobs.list", "parent", "location"},
		{"firestore.v1.projects.databases.documents.patch", "name", "updateMask currentDocument body"},
		{"storage.v1.objects.get", "bucket object", "alt generation"},
		{"secretmanager.v1.projects.secrets.versions.accessString", "secret_id", "version project_id"},
	} {
		sig, ok := stdlib.Signature("googleapis." + c.name)
		if !ok || !sig.Connector {
			t.Errorf("%s: signature %+v, %t", c.name, sig, ok)
			continue
		}
		if got := strings.Join(sig.Params[:sig.Required], " "); got != c.required {
			t.Errorf("%s needs %s, want %s", c.name, got, c.required)
		}
		for _, param := range strings.Fields(c.more) {
			if !slices.Contains(sig.Params, param) {
				t.Errorf("%s: no parameter %s in %q", c.name, param, sig.Params)
			}
		}
	}
	for name, want := range map[string]string{
		"googleapis.storage.v1.object.get":   "googleapis.storage.v1.objects.get",
		"googleapis.storage.v2.objects.list": "googleapis.storage.v1.objects.list",
	} {
		if got := stdlib.Connectors(name); !slices.Contains(got, want) {
			t.Errorf("%s is not among the connectors like %s", want, name)
		}
	}
}

// TestCorpusConnectors: every connector that definitions in the wild use has a
// method.
func TestCorpusConnectors(t *testing.T) {
	const corpus = "../../../shared/corpus/workflows/"
	names := map[string]bool{}
	for file, pattern := range map[string]string{"INDEX.tsv": `conn:(\S+)`, "FREQUENCY.tsv": `(?m)^conn\t(\S+)`} {
		text, err := os.ReadFile(corpus + file)
		if err != nil {
			t.Skip("the corpus is not here: ", err)
		}
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
			names[m[1]] = true
		}
	}
	for name := range names {
		if sig, ok := stdlib.Signature(name); !ok || !sig.Connector {
			t.Errorf("%s is no connector", name)
		}
	}
	if len(names) < 100 {
		t.Errorf("only %d connectors: have the lists changed?", len(names))
	}
}
