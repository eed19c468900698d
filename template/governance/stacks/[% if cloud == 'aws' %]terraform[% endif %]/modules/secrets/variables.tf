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
