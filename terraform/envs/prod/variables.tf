variable "project" {
  description = "Project id."
  type        = string
}

variable "region" {
  description = "Region to deploy to."
  type        = string
  default     = "us-central1"
}

variable "images" {
  description = "Images by digest, as cloudbuild.yaml writes them to images.auto.tfvars.json."
  type        = map(string)
}
