# Deploys the penguins pipeline. Keep the state in a bucket:
#   terraform init -backend-config=bucket=YOUR-STATE-BUCKET
terraform {
  required_version = ">= 1.7"

  backend "gcs" {
    prefix = "kakehi/prod"
  }

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.50, < 8.0"
    }
  }
}

provider "google" {
  project = var.project
  region  = var.region
}

locals {
  apis = [
    "aiplatform.googleapis.com",
    "artifactregistry.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "iam.googleapis.com",
    "logging.googleapis.com",
    "run.googleapis.com",
    "storage.googleapis.com",
    "workflows.googleapis.com",
    "workflowexecutions.googleapis.com",
  ]
}

resource "google_project_service" "api" {
  for_each = toset(local.apis)

  project            = var.project
  service            = each.key
  disable_on_destroy = false
}

resource "google_artifact_registry_repository" "images" {
  project       = var.project
  location      = var.region
  repository_id = "kakehi"
  format        = "DOCKER"

  depends_on = [google_project_service.api]
}

module "penguins" {
  source = "../../modules/pipeline"

  project         = var.project
  region          = var.region
  pipeline        = "penguins"
  workflow_source = file("${path.module}/../../../workflows/penguins/workflow.yaml")
  functions       = ["validate", "split", "evaluate", "probe", "rollout", "summary"]
  images          = var.images

  depends_on = [google_project_service.api]
}

resource "google_storage_bucket_object" "penguins" {
  bucket = module.penguins.bucket
  name   = "penguins/penguins.csv"
  source = "${path.module}/../../../workflows/penguins/penguins.csv"
}
