variable "name" {
  description = "Name of the stack, of its service connector and of each component: ZenML tells components of one name apart by their type."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,62}$", var.name))
    error_message = "The name starts with a lower-case letter and has at most 63 lower-case letters, digits and hyphens."
  }
}

variable "connector" {
  description = "How ZenML reaches the cloud: type (gcp, aws, azure), auth_method and configuration of its service connector. Null: no connector, each component uses the identity of where it runs."
  type = object({
    type          = string
    auth_method   = string
    configuration = map(string)
  })
  default = null

  validation {
    condition     = var.connector == null ? true : var.connector.auth_method == "implicit"
    error_message = "The connector authenticates as the ZenML server itself (implicit): the other methods store a key."
  }
}

variable "components" {
  description = "Components by type: flavor, configuration (the flavor's own keys, secrets as {{name.key}}), connected (it uses the connector) and resource_id (which of the connector's resources, where the configuration does not say it)."
  type = map(object({
    flavor        = string
    configuration = optional(map(string), {})
    connected     = optional(bool, false)
    resource_id   = optional(string)
  }))

  validation {
    condition     = alltrue([for type in ["orchestrator", "artifact_store"] : contains(keys(var.components), type)])
    error_message = "A ZenML stack has at least an orchestrator and an artifact_store."
  }

  # By the artifact store's connector the stack sees that components are replaced.
  validation {
    condition     = !anytrue(values(var.components)[*].connected) || try(var.components["artifact_store"].connected, false)
    error_message = "Where a component uses the connector, the artifact store does."
  }

  # A value typed here would lie in the state and in ZenML's database as it is.
  validation {
    condition = alltrue(flatten([
      for component in values(var.components) : [
        for key, value in component.configuration :
        can(regex("^\\{\\{[^{}]+\\}\\}$", value)) if can(regex("(token|password|secret)$", key))
      ]
    ]))
    error_message = "A token, password or secret is a reference to a ZenML secret: {{name.key}}."
  }
}

variable "labels" {
  description = "Labels of the connector, the components and the stack."
  type        = map(string)
  default     = {}
}
