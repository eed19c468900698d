variable "account_id" {
  description = "Account in which the jobs run."
  type        = string
}

variable "region" {
  description = "Region in which the jobs run."
  type        = string
}

variable "name" {
  description = "What the names of the role and of the policies begin with."
  type        = string
}

variable "bucket" {
  description = "Bucket for what SageMaker itself writes. Without one it would make its own."
  type        = string
}

variable "policies" {
  description = "ARNs of the policies that the steps need besides those of SageMaker, by what they allow."
  type        = map(string)
}

variable "tags" {
  description = "Tags of the pipelines and jobs, which ZenML makes and not Terraform."
  type        = map(string)
}
