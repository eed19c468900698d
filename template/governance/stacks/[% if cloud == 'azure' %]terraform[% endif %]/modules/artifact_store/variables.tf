variable "name" {
  description = "Name of the storage account: unique in all of Azure."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]{3,24}$", var.name))
    error_message = "The name of a storage account has 3 to 24 lower-case letters and digits."
  }
}

variable "resource_group_name" {
  description = "Resource group of the storage account."
  type        = string
}

variable "location" {
  description = "Region of the storage account."
  type        = string
}

variable "retention_days" {
  description = "For how many days a replaced or removed artifact can be brought back."
  type        = number
}

variable "allowed_subnet_ids" {
  description = "Subnets that reach the account; each has the service endpoint Microsoft.Storage."
  type        = set(string)
}

variable "allowed_ip_ranges" {
  description = "Public addresses and ranges that reach the account beside the subnets. Null: every address does."
  type        = set(string)
  default     = []
}

variable "log_workspace_id" {
  description = "Log Analytics workspace that keeps who read, wrote and removed artifacts."
  type        = string
}

variable "writers" {
  description = "Object ids of the principals that read and write artifacts, by what they are."
  type        = map(string)
}

variable "readers" {
  description = "Object ids of the principals that only read artifacts."
  type        = set(string)
}

variable "pruners" {
  description = "Object ids of the principals that delete artifacts beside the writers."
  type        = set(string)
}

variable "tags" {
  description = "Tags of the storage account."
  type        = map(string)
}
