mock_provider "google" {}

variables {
  project         = "demo"
  pipeline        = "penguins"
  workflow_source = "- done:\n    return: 1\n"
  functions       = ["validate", "train_report"]
  images = {
    functions   = "us-docker.pkg.dev/demo/kakehi/functions@sha256:0000000000000000000000000000000000000000000000000000000000000001"
    modelserver = "us-docker.pkg.dev/demo/kakehi/modelserver@sha256:0000000000000000000000000000000000000000000000000000000000000002"
  }
}

run "a_service_for_each_function" {
  command = plan

  assert {
    condition     = toset([for s in google_cloud_run_v2_service.function : s.name]) == toset(["validate", "train-report"])
    error_message = "Each function needs a service, named with hyphens."
  }

  assert {
    condition     = tomap(jsondecode(google_workflows_workflow.pipeline.user_env_vars.IMAGES)) == var.images
    error_message = "The workflow reads its images from IMAGES."
  }
}

run "the_functions_mount_the_bucket" {
  command = plan

  assert {
    condition     = alltrue([for s in google_cloud_run_v2_service.function : s.template[0].execution_environment == "EXECUTION_ENVIRONMENT_GEN2"])
    error_message = "Mounting a bucket needs the second generation."
  }
}

run "the_workflow_finds_its_environment" {
  command = plan

  variables {
    workflow_source = file("../../../workflows/penguins/workflow.yaml")
  }

  assert {
    condition = toset(keys(google_workflows_workflow.pipeline.user_env_vars)) == setsubtract(
      toset(flatten(regexall("sys\\.get_env\\(\"([A-Z_]+)\"", var.workflow_source))),
      ["GOOGLE_CLOUD_WORKFLOW_EXECUTION_ID", "GOOGLE_CLOUD_PROJECT_ID", "GOOGLE_CLOUD_PROJECT_NUMBER", "GOOGLE_CLOUD_LOCATION"],
    )
    error_message = "user_env_vars must be the variables that the workflow reads, and no others."
  }
}

run "it_may_run_what_it_starts_as_their_accounts" {
  command = plan

  assert {
    condition     = toset([for m in google_service_account_iam_member.acts_as : m.role]) == toset(["roles/iam.serviceAccountUser"]) && toset(keys(google_service_account_iam_member.acts_as)) == toset(["trainer", "serving"])
    error_message = "The workflow needs actAs on the accounts of its jobs and services."
  }
}

run "images_need_digests" {
  command = plan

  variables {
    images = { functions = "us-docker.pkg.dev/demo/kakehi/functions:latest", modelserver = "x:1" }
  }

  expect_failures = [var.images]
}

run "pipeline_names_are_checked" {
  command = plan

  variables {
    pipeline = "Not A Name"
  }

  expect_failures = [var.pipeline]
}
