resource "google_storage_bucket" "pipeline" {
  project                     = var.project
  name                        = "${var.project}-${var.pipeline}"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = var.bucket_force_destroy

  versioning {
    enabled = true
  }
}

resource "google_cloud_run_v2_service" "function" {
  for_each = var.functions

  project             = var.project
  location            = var.region
  name                = replace(each.key, "_", "-")
  ingress             = "INGRESS_TRAFFIC_ALL"
  deletion_protection = false

  template {
    service_account       = google_service_account.role["steps"].email
    timeout               = "1800s"
    execution_environment = "EXECUTION_ENVIRONMENT_GEN2" # which mounting a bucket needs

    containers {
      image = var.images["functions"]

      env {
        name  = "FUNCTION_TARGET"
        value = each.key
      }

      volume_mounts {
        name       = "bucket"
        mount_path = "/gcs/${google_storage_bucket.pipeline.name}"
      }
    }

    volumes {
      name = "bucket"

      gcs {
        bucket    = google_storage_bucket.pipeline.name
        read_only = false
      }
    }
  }
}

resource "google_workflows_workflow" "pipeline" {
  project             = var.project
  region              = var.region
  name                = var.pipeline
  service_account     = google_service_account.role["workflows"].id
  source_contents     = var.workflow_source
  call_log_level      = "LOG_ERRORS_ONLY"
  deletion_protection = false

  user_env_vars = {
    BUCKET                  = google_storage_bucket.pipeline.name
    IMAGES                  = jsonencode(var.images)
    JOB_SERVICE_ACCOUNT     = google_service_account.role["trainer"].email
    SERVING_SERVICE_ACCOUNT = google_service_account.role["serving"].email
  }

  depends_on = [
    google_project_iam_member.role,
    google_storage_bucket_iam_member.role,
    google_service_account_iam_member.acts_as,
  ]
}
