variable "account_id" {
  description = "Account of the secrets."
  type        = string
}

variable "name" {
  description = "What the name of each secret begins with."
  type        = string
}

variable "names" {
  description = "Names of the secrets, behind that and a slash."
  type        = set(string)
}

variable "region" {
  description = "Region of the secrets and of their key."
  type        = string
}

variable "readers" {
  description = "ARNs of the roles that read the values."
  type        = set(string)
}
