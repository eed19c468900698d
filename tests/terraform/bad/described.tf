# finds: var.a lacks description
variable "a" {
  type = string
}

# finds: var.a lacks type
variable "a" {
  description = "It."
}

# finds: output a lacks description
output "a" {
  value = 1
}
