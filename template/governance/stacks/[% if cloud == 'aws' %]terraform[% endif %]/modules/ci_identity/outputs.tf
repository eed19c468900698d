output "role_arn" {
  description = "ARN of the role."
  value       = aws_iam_role.this.arn
}

output "subjects" {
  description = "Subjects of the tokens that open the role."
  value       = local.subjects
}
