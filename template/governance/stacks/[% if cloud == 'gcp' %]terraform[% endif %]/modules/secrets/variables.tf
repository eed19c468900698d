variable "project_id" {
  description = "Project of the secrets."
  type        = string
}

variable "prefix" {
  description = "What the name of each secret begins with."
  type        = string
}

variable "names" {
  description = "Names of the secrets, behind the prefix."
  type        = set(string)
}

variable "location" {
  description = "The one region in which their values lie."
  type        = string
}

variable "kms_key_name" {
  description = "Key of Cloud KMS that encrypts the values (projects/…/cryptoKeys/…). Null: a key of Google's."
  type        = string
  default     = null
}

variable "readers" {
  description = "Principals that read the values."
  type        = set(string)
}

variable "labels" {
  description = "Labels of the secrets."
  type        = map(string)
}
