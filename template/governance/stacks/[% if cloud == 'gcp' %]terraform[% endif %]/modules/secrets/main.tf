# Names without values: a person adds a version with `gcloud secrets versions add`, so that none is in a state.
resource "google_secret_manager_secret" "this" {
  for_each = var.names

  project   = var.project_id
  secret_id = "${var.prefix}-${each.value}"
  labels    = var.labels

  # A destroyed version can be brought back for a week.
  version_destroy_ttl = "${7 * 24 * 60 * 60}s"

  replication {
    user_managed {
      replicas {
        location = var.location

        dynamic "customer_managed_encryption" {
          for_each = var.kms_key_name == null ? [] : [var.kms_key_name]

          content {
            kms_key_name = customer_managed_encryption.value
          }
        }
      }
    }
  }
}

resource "google_secret_manager_secret_iam_member" "reader" {
  for_each = {
    for pair in setproduct(var.names, var.readers) : "${pair[0]}/${pair[1]}" => { name = pair[0], reader = pair[1] }
  }

  project   = var.project_id
  secret_id = google_secret_manager_secret.this[each.value.name].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = each.value.reader
}
