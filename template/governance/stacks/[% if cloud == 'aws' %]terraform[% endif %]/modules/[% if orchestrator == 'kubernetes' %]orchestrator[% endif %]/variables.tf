variable "account_id" {
  description = "Account of the cluster."
  type        = string
}

variable "region" {
  description = "Region of the cluster."
  type        = string
}

variable "name" {
  description = "What the names of the role and of the policies begin with."
  type        = string
}

variable "cluster" {
  description = "Name of the EKS cluster, which has the Pod Identity agent and takes access entries."
  type        = string
}

variable "namespace" {
  description = "Namespace of the cluster in which the steps run."
  type        = string
}

variable "submitters" {
  description = "ARNs of the roles that start runs, by what they are."
  type        = map(string)
}

variable "policies" {
  description = "ARNs of the policies that the steps need, by what they allow."
  type        = map(string)
}

variable "connected" {
  description = "Whether ZenML reaches the cluster through a connector, and not through a context of kubectl."
  type        = bool
}
