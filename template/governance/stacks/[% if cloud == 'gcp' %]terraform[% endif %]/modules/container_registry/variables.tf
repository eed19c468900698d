variable "project_id" {
  description = "Project of the repository."
  type        = string
}

variable "name" {
  description = "Name of the repository."
  type        = string
}

variable "location" {
  description = "Region of the repository."
  type        = string
}

variable "immutable_tags" {
  description = "Whether a tag stays with the image that had it first."
  type        = bool
}

variable "retention_days" {
  description = "After how many days an image without a tag is deleted."
  type        = number
}

variable "kms_key_name" {
  description = "Key of Cloud KMS that encrypts the images (projects/…/cryptoKeys/…). Null: a key of Google's."
  type        = string
  default     = null
}

variable "writers" {
  description = "Principals that push images, by what they are."
  type        = map(string)
}

variable "readers" {
  description = "Principals that only pull images."
  type        = set(string)
}

variable "labels" {
  description = "Labels of the repository."
  type        = map(string)
}
