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
