variable "name" {
  description = "Name of the vault: unique in all of Azure."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z][a-zA-Z0-9-]{1,22}[a-zA-Z0-9]$", var.name))
    error_message = "The name of a key vault has 3 to 24 letters, digits and hyphens, and starts with a letter."
  }
}

variable "resource_group_name" {
  description = "Resource group of the vault."
  type        = string
}

variable "location" {
  description = "Region of the vault."
  type        = string
}

variable "tenant_id" {
  description = "Tenant whose identities open the vault."
  type        = string
}

variable "allowed_subnet_ids" {
  description = "Subnets that reach the vault; each has the service endpoint Microsoft.KeyVault."
  type        = set(string)
}

variable "allowed_ip_ranges" {
  description = "Public addresses and ranges that reach the vault beside the subnets. Null: every address does."
  type        = set(string)
  default     = []
}

variable "log_workspace_id" {
  description = "Log Analytics workspace that keeps who read and set values."
  type        = string
}

variable "readers" {
  description = "Object ids of the principals that read the values."
  type        = set(string)
}

variable "writers" {
  description = "Object ids of the principals that set the values."
  type        = set(string)
}

variable "tags" {
  description = "Tags of the vault."
  type        = map(string)
}
