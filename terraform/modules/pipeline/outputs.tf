output "workflow" {
  description = "Id of the workflow, for gcloud workflows execute."
  value       = google_workflows_workflow.pipeline.name
}

output "bucket" {
  description = "Bucket of the pipeline's data, models and cached results."
  value       = google_storage_bucket.pipeline.name
}

output "functions" {
  description = "URL of each step function."
  value       = { for name, service in google_cloud_run_v2_service.function : name => service.uri }
}

output "service_accounts" {
  description = "Service account of each role."
  value       = { for role, account in google_service_account.role : role => account.email }
}
