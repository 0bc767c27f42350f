variable "project" {
  description = "Project id."
  type        = string
}

variable "region" {
  description = "Region of the workflow, the services, the jobs and the bucket."
  type        = string
  default     = "us-central1"
}

variable "pipeline" {
  description = "Name of the pipeline; also the id of its workflow."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", var.pipeline))
    error_message = "A pipeline name has lower case letters, digits and hyphens, begins with a letter, and is at most 63 long."
  }
}

variable "workflow_source" {
  description = "Compiled Cloud Workflows YAML, given by file(): it needs no escaping."
  type        = string

  validation {
    condition     = length(var.workflow_source) <= 131072
    error_message = "Cloud Workflows takes at most 128 KB of source."
  }
}

variable "functions" {
  description = "Names of the step functions that the workflow calls, such as validate."
  type        = set(string)
}

variable "images" {
  description = "Image of each reference in the spec (such as ko://./workflows/penguins/train), and of \"functions\" and \"modelserver\", each by digest."
  type        = map(string)

  validation {
    condition     = alltrue([for key in ["functions", "modelserver"] : contains(keys(var.images), key)])
    error_message = "images needs the keys functions and modelserver."
  }

  validation {
    condition     = alltrue([for image in values(var.images) : can(regex("@sha256:[0-9a-f]{64}$", image))])
    error_message = "Give every image by digest (…@sha256:…): a tag can change under a running pipeline, and the cache keys name the digest."
  }
}

variable "bucket_force_destroy" {
  description = "Let terraform destroy delete the bucket with its data, models and cached results."
  type        = bool
  default     = false
}
