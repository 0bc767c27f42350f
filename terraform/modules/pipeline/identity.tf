# One service account per role, each with what its steps do and no more.
locals {
  accounts = {
    workflows = "Runs the pipeline's workflow"
    steps     = "Runs the step functions"
    trainer   = "Runs the Vertex AI training jobs"
    serving   = "Runs the served models"
  }
  member = { for role, account in google_service_account.role : role => "serviceAccount:${account.email}" }

  project_roles = {
    "workflows aiplatform.user" = ["workflows", "roles/aiplatform.user"]   # jobs and the model registry
    "workflows run.developer"   = ["workflows", "roles/run.developer"]     # deploys, shifts traffic
    "workflows run.invoker"     = ["workflows", "roles/run.invoker"]       # calls the functions
    "workflows logging.write"   = ["workflows", "roles/logging.logWriter"] # sys.log
    "steps run.invoker"         = ["steps", "roles/run.invoker"]           # probes and evaluates the served model
    "steps logging.viewer"      = ["steps", "roles/logging.viewer"]        # the evidence of a rollout
    "trainer logging.write"     = ["trainer", "roles/logging.logWriter"]
  }

  bucket_roles = {
    workflows = "roles/storage.objectUser"
    steps     = "roles/storage.objectUser"
    trainer   = "roles/storage.objectUser"
    serving   = "roles/storage.objectViewer"
  }
}

resource "google_service_account" "role" {
  for_each = local.accounts

  project      = var.project
  account_id   = "${substr(var.pipeline, 0, 20)}-${each.key}"
  display_name = each.value
}

resource "google_project_iam_member" "role" {
  for_each = local.project_roles

  project = var.project
  role    = each.value[1]
  member  = local.member[each.value[0]]
}

resource "google_storage_bucket_iam_member" "role" {
  for_each = local.bucket_roles

  bucket = google_storage_bucket.pipeline.name
  role   = each.value
  member = local.member[each.key]
}

# The workflow starts jobs and deploys services that run as these accounts.
resource "google_service_account_iam_member" "acts_as" {
  for_each = toset(["trainer", "serving"])

  service_account_id = google_service_account.role[each.key].name
  role               = "roles/iam.serviceAccountUser"
  member             = local.member["workflows"]
}
