variable "project_id" {
  description = "Project of the bucket."
  type        = string
}

variable "name" {
  description = "Name of the bucket: unique in all of Google Cloud."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.name))
    error_message = "The name of a bucket has 3 to 63 lower-case letters, digits and hyphens."
  }
}

variable "location" {
  description = "Region of the bucket."
  type        = string
}

variable "retention_days" {
  description = "For how many days a replaced or removed artifact can be brought back."
  type        = number
}

variable "kms_key_name" {
  description = "Key of Cloud KMS that encrypts the bucket (projects/…/cryptoKeys/…). Null: a key of Google's."
  type        = string
  default     = null
}

variable "writers" {
  description = "Principals that read and write artifacts, by what they are."
  type        = map(string)
}

variable "readers" {
  description = "Principals that only read artifacts."
  type        = set(string)
}

variable "pruners" {
  description = "Principals of the other environment that delete what retention lets go."
  type        = set(string)
}

variable "labels" {
  description = "Labels of the bucket."
  type        = map(string)
}
