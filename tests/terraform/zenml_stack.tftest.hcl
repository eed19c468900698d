# The stack while its connector comes and goes. The real provider replaces a component whose connector changes, which the
# stand-in is told to do by the options of the plan.
mock_provider "zenml" {}

variables {
  name = "staging"
  components = {
    orchestrator   = { flavor = "azureml" }
    artifact_store = { flavor = "azure", connected = true }
  }
}

run "without_connector" {}

run "connector_given" {
  command = plan

  plan_options {
    replace = [zenml_stack_component.this["artifact_store"]]
  }

  variables {
    connector = { type = "azure", auth_method = "implicit", configuration = {} }
  }
}

run "with_connector" {
  variables {
    connector = { type = "azure", auth_method = "implicit", configuration = {} }
  }
}

run "connector_and_components_changed" {
  command = plan

  variables {
    connector = { type = "azure", auth_method = "implicit", configuration = { storage_account = "other" } }
    components = {
      orchestrator   = { flavor = "azureml", configuration = { compute_name = "other" } }
      artifact_store = { flavor = "azure", connected = true }
      alerter        = { flavor = "slack" }
    }
  }
}

run "connector_taken" {
  command = plan

  plan_options {
    replace = [zenml_stack_component.this["artifact_store"]]
  }
}

run "store_without_connector" {
  command = plan

  variables {
    components = {
      orchestrator   = { flavor = "vertex", connected = true }
      artifact_store = { flavor = "gcp" }
    }
  }

  expect_failures = [var.components]
}
