package stdlib

import "maps"

// Environment returns the built-in environment variables of an execution
// outside of any project, with those given over them.
//
// Source: cloud.google.com/workflows/docs/reference/environment-variables.
func Environment(given map[string]string) map[string]string {
	env := map[string]string{
		"GOOGLE_CLOUD_PROJECT_ID":            "kakehi-local",
		"GOOGLE_CLOUD_PROJECT_NUMBER":        "123456789012",
		"GOOGLE_CLOUD_LOCATION":              "us-central1",
		"GOOGLE_CLOUD_WORKFLOW_ID":           "exec",
		"GOOGLE_CLOUD_WORKFLOW_REVISION_ID":  "000001-000",
		"GOOGLE_CLOUD_WORKFLOW_EXECUTION_ID": "00000000-0000-0000-0000-000000000000",
		"GOOGLE_CLOUD_SERVICE_ACCOUNT_NAME":  "workflows@kakehi-local.iam.gserviceaccount.com",
	}
	maps.Copy(env, given)
	return env
}
