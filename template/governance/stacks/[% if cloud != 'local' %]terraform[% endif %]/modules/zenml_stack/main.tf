resource "zenml_service_connector" "this" {
  count = var.connector == null ? 0 : 1

  name        = var.name
  type        = var.connector.type
  auth_method = var.connector.auth_method
  labels      = var.labels

  # The provider does not mark it: without this, a plan prints it.
  configuration = sensitive(var.connector.configuration)
}

resource "zenml_stack_component" "this" {
  for_each = var.components

  name          = var.name
  type          = each.key
  flavor        = each.value.flavor
  configuration = each.value.configuration
  labels        = var.labels

  connector_id          = each.value.connected ? one(zenml_service_connector.this[*].id) : null
  connector_resource_id = each.value.connected && var.connector != null ? each.value.resource_id : null
}

resource "zenml_stack" "this" {
  name       = var.name
  components = { for type, component in zenml_stack_component.this : type => component.id }
  labels     = var.labels

  # With another connector a component is replaced, and ZenML deletes none that a stack still has.
  lifecycle {
    replace_triggered_by = [zenml_stack_component.this["artifact_store"].connector_id]
  }
}
