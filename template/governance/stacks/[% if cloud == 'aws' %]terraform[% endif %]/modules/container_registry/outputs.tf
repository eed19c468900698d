output "component" {
  description = "ZenML component: flavor and configuration."
  value = {
    flavor = "aws"
    configuration = {
      uri                = "${var.account_id}.dkr.ecr.${var.region}.amazonaws.com"
      default_repository = aws_ecr_repository.this.name
    }
    connected   = true
    resource_id = null
  }
}

output "repository_arn" {
  description = "ARN of the repository."
  value       = local.arn
}

output "pull_policy_arn" {
  description = "ARN of the policy that lets a role pull images."
  value       = aws_iam_policy.pull.arn
}

output "push_policy_arn" {
  description = "ARN of the policy that, added to the one for pulling, lets a role push images."
  value       = aws_iam_policy.push.arn
}
