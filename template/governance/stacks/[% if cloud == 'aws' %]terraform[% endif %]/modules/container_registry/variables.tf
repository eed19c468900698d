variable "account_id" {
  description = "Account of the registry."
  type        = string
}

variable "region" {
  description = "Region of the registry."
  type        = string
}

variable "name" {
  description = "What the names of the policies begin with."
  type        = string
}

variable "project" {
  description = "Name of the project: the repository of its images."
  type        = string
}

variable "readers" {
  description = "ARNs of the roles of the other environment that pull images."
  type        = set(string)
}

variable "sources" {
  description = "ARNs of the repositories of the other environment from which this one pulls."
  type        = set(string)
}

variable "retention_days" {
  description = "For how many days an image without a tag is kept."
  type        = number
}
