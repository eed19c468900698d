variable "name" {
  description = "Name of the registry: unique in all of Azure."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9]{5,50}$", var.name))
    error_message = "The name of a registry has 5 to 50 letters and digits."
  }
}

variable "resource_group_name" {
  description = "Resource group of the registry."
  type        = string
}

variable "location" {
  description = "Region of the registry."
  type        = string
}

variable "retention_days" {
  description = "After how many days an image without a tag is deleted."
  type        = number
}

variable "log_workspace_id" {
  description = "Log Analytics workspace that keeps who pushed, pulled and logged in."
  type        = string
}

variable "writers" {
  description = "Object ids of the principals that push images, by what they are."
  type        = map(string)
}

variable "readers" {
  description = "Object ids of the principals that only pull images, by what they are."
  type        = map(string)
}

variable "tags" {
  description = "Tags of the registry."
  type        = map(string)
}
