variable "name" {
  description = "What the names begin with. The bucket's adds the account, which makes it unique in all of AWS."
  type        = string
}

variable "account_id" {
  description = "Id of the AWS account."
  type        = string
}

variable "region" {
  description = "Region of the bucket and of its key."
  type        = string
}

variable "log_bucket" {
  description = "Bucket of the bootstrap into which S3 writes who read what, when."
  type        = string
}

variable "readers" {
  description = "ARNs of the roles of the other environment that read artifacts."
  type        = set(string)
}

variable "pruners" {
  description = "ARNs of the roles of the other environment that delete what retention lets go; they are among its readers."
  type        = set(string)
}

variable "sources" {
  description = "Artifact stores of the other environment that the roles of this one read."
  type = list(object({
    bucket_arn  = string
    kms_key_arn = string
  }))
}

variable "prunable" {
  description = "ARNs of the buckets of the other environment in which CI deletes what retention lets go."
  type        = set(string)
}

variable "retention_days" {
  description = "For how many days a replaced or deleted artifact can be brought back."
  type        = number
}
