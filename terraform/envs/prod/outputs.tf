output "execute" {
  description = "Command that runs the pipeline."
  value       = "gcloud workflows execute ${module.penguins.workflow} --project=${var.project} --location=${var.region}"
}

output "service_accounts" {
  description = "Service account of each role."
  value       = module.penguins.service_accounts
}
